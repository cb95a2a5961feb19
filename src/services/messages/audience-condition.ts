import { audienceCondition, type Condition } from '#db/audience/audience-sql.ts';
import type { Audience } from '#schemas/audience.ts';
import type { Context } from '#services/context.ts';

/** Whom an audience means, as SQL over alias `r`; public ids in it are decoded. Takes what a message's row holds, too. */
export const conditionOf = (ctx: Pick<Context, 'ids'>, audience: unknown): Condition =>
  audienceCondition(audience as Audience, (id) => ctx.ids.decode('rcp', id));
