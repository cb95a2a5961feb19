import type { Context as HonoContext } from 'hono';
import type { Scope } from '#services/context.ts';
import type { ConsoleEnv } from './env.ts';

type Handler<Path extends string> = (c: HonoContext<ConsoleEnv, Path>) => Response | Promise<Response>;

/** One address of the console and what a person needs to come to it. */
export interface Page {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly scope: Scope;
  /** Its body is read as a stream, so that its handler checks the form token, which the guard checks for all others. */
  readonly upload: boolean;
  // oxlint-disable-next-line typescript/no-explicit-any -- the path's own parameters are known where the page is written
  readonly handler: Handler<any>;
}

/**
 * Collects pages, each with the scope that its reader must have or its form takes. A page without a scope is a type error,
 * and the guard serves no address of the console that is not collected here.
 */
export class Pages {
  readonly list: Page[] = [];

  get<Path extends string>(path: Path, scope: Scope, handler: Handler<Path>): this {
    this.list.push({ method: 'GET', path, scope, upload: false, handler });
    return this;
  }

  post<Path extends string>(path: Path, scope: Scope, handler: Handler<Path>): this {
    this.list.push({ method: 'POST', path, scope, upload: false, handler });
    return this;
  }

  /** A form with a file. Its handler must call `requireToken` itself. */
  upload<Path extends string>(path: Path, scope: Scope, handler: Handler<Path>): this {
    this.list.push({ method: 'POST', path, scope, upload: true, handler });
    return this;
  }
}
