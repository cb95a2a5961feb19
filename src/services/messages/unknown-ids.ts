import type { FieldError } from '#platform/errors.ts';
import type { Audience } from '#schemas/audience.ts';
import type { Context } from '#services/context.ts';

/** Ids in an audience that this installation never gave out. */
export function unknownIds(ctx: Context, audience: Audience, path: string): FieldError[] {
  if ('ids' in audience)
    return audience.ids.flatMap((id, i) =>
      ctx.ids.decode('rcp', id) === undefined
        ? [{ field: `${path}.ids[${i}]`, code: 'unknown_recipient', detail: 'is not the id of a recipient (rcp_…)' }]
        : [],
    );
  if ('and' in audience) return audience.and.flatMap((one, i) => unknownIds(ctx, one, `${path}.and[${i}]`));
  if ('or' in audience) return audience.or.flatMap((one, i) => unknownIds(ctx, one, `${path}.or[${i}]`));
  return 'not' in audience ? unknownIds(ctx, audience.not, `${path}.not`) : [];
}
