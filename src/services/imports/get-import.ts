import { type Context, inTenant } from '#services/context.ts';
import { type ImportView, loadImport, viewImport } from './import-view.ts';

/** @throws Problem 404 */
export const getImport = (ctx: Context, publicId: string): Promise<ImportView> =>
  inTenant(ctx, async (tx) => viewImport(ctx, await loadImport(tx, ctx, publicId)));
