import type { Context as HonoContext } from 'hono';
import type { Context, Deps } from '#services/context.ts';
import type { Session } from '#services/access/sessions.ts';

/** What the session guard leaves in every request of the console. */
export interface ConsoleEnv {
  Variables: {
    requestId: string;
    ctx: Context;
    session: Session;
  };
}
export type ConsoleContext = HonoContext<ConsoleEnv>;

/** What the console needs of the HTTP layer. */
export interface ConsoleDeps {
  readonly deps: Deps;
  /** The caller's address, as limits count it. */
  readonly clientIp: (c: ConsoleContext) => string;
  /** Whether an error says that the store cannot be reached now. */
  readonly isUnavailable: (error: unknown) => boolean;
}
