import { createRoute, OpenAPIHono, type RouteConfig, type RouteHandler } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Scope } from '#services/context.ts';
import type { AppEnv } from './env.ts';
import { validationHook } from './problem.ts';

/** The scope that a key must have, or several of which it must have one. */
type Needs = Scope | readonly [Scope, ...Scope[]];

/** The scopes as the OpenAPI document tells them; OpenAPI takes names of our own if they begin with `x-`. */
interface Scoped {
  readonly 'x-scope': readonly Scope[];
}

/** The scopes of whoever writes messages or sends them. Which class of message a key may send is asked by the verb. */
export const WRITES_OR_SENDS = ['write', 'send:life', 'send:ops', 'send:bulk'] as const satisfies readonly Scope[];

/** Describes a route under /v1. `scope` is the least that any key needs; a verb may ask for more. A route without it is a type error. */
export const apiRoute = <P extends string, R extends Omit<RouteConfig, 'path'> & { path: P }>({ scope, ...route }: R & { scope: Needs }) =>
  createRoute({ ...(route as unknown as R), 'x-scope': typeof scope === 'string' ? [scope] : scope });

/** The routes of one resource under /v1. It takes none but those made by `apiRoute`. */
export class ApiRouter {
  readonly #routes = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });

  openapi<R extends RouteConfig & Scoped>(route: R, handler: RouteHandler<R, AppEnv>): void {
    this.#routes.openapi(route, handler);
  }

  /** Puts the routes below /v1. Whether a key has their scope is asked by the gate, which stands before them. */
  mountOn(app: OpenAPIHono<AppEnv>): void {
    app.route('/v1', this.#routes);
  }
}

/**
 * Tells the scopes of which a request's route needs one, as the app's OpenAPI document has them; undefined where no route
 * matches, which becomes a 404 or 405.
 * @throws Error for a route that was not made by `apiRoute`, so that nothing is served without a scope
 */
export function neededScopes(app: OpenAPIHono<AppEnv>): (c: HonoContext<AppEnv>) => readonly Scope[] | undefined {
  let known: ReadonlyMap<string, readonly Scope[]> | undefined;
  return (c) => {
    const route = matchedRoutes(c).find(({ method }) => method !== 'ALL');
    if (!route) return undefined;
    // The document is read at the first request, when every route is there.
    known ??= scopesOf(app);
    const scopes = known.get(`${route.method} ${route.path}`);
    if (!scopes) throw new Error(`the route ${route.path} states no scope`);
    return scopes;
  };
}

const scopesOf = (app: OpenAPIHono<AppEnv>): Map<string, readonly Scope[]> =>
  new Map(
    app.openAPIRegistry.definitions.flatMap((definition) => {
      if (definition.type !== 'route' || !isScoped(definition.route)) return [];
      const { method, path, 'x-scope': scopes } = definition.route;
      return [[`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`, scopes]];
    }),
  );

const isScoped = <T extends object>(route: T): route is T & Scoped => 'x-scope' in route;
