import type { Context, Deps } from '#services/context.ts';

/** What the gate leaves in every request. */
export interface AppEnv {
  Variables: {
    requestId: string;
    /** Set behind the API gate and behind a console session. */
    ctx: Context;
  };
}

export type { Context, Deps };
