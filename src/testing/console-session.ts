import { Hono } from 'hono';
import type { AppEnv } from '#http/env.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import type { Deps } from '#services/context.ts';
import { BrowserSession } from './browser-session.ts';
import { PASSWORD } from './secrets.ts';

/** A browser in front of a console of its own, since the throttle of sign-ins in one test must not reach another. */
export const consoleVisitor = (deps: Deps): BrowserSession => new BrowserSession(new Hono<AppEnv>().route('/', consoleRoutes(deps)));

/** A browser in which this person has signed in. @throws with the status when they may not */
export async function signedIn(deps: Deps, email: string, password = PASSWORD): Promise<BrowserSession> {
  const session = consoleVisitor(deps);
  await session.signIn(email, password);
  return session;
}
