import type { RecipientView } from '#schemas/recipient.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadRecipient, viewRecipient } from './recipient-view.ts';

/** @throws Problem 404; 410 `erased` */
export const getRecipient = (ctx: Context, publicId: string): Promise<RecipientView> =>
  inTenant(ctx, async (tx) => viewRecipient(ctx, await loadRecipient(tx, ctx, publicId)));
