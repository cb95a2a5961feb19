import { hashApiKey, newApiKey } from '#platform/api-key.ts';
import { hashPassword } from '#platform/password.ts';
import type { UserRole } from '#schemas/delivery.ts';
import { ALL_SCOPES } from '#services/organisations/create-tenant.ts';
import type { Answer } from './call-api.ts';
import type { TestDeps } from './deps.ts';
import { PASSWORD } from './secrets.ts';

/** The hash is made once for everybody, since it takes its time on purpose. */
let passwordHash: Promise<string> | undefined;
let users = 0;

/** Another person of a tenant, who signs in to the console with PASSWORD. @returns their e-mail address */
export async function addUser(deps: TestDeps, tenantId: number, role: UserRole): Promise<string> {
  passwordHash ??= hashPassword(PASSWORD);
  const hash = await passwordHash;
  const email = `user${++users}@example.test`;
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .insertInto('users')
      .values({ tenant_id: tenantId, email, name: `User ${users}`, password_hash: hash, role })
      .execute(),
  );
  return email;
}

/** Another person of a tenant, who may do everything and has an API key of their own. */
export async function addColleague(deps: TestDeps, tenantId: number, email: string): Promise<{ userId: string; apiKey: string }> {
  const apiKey = newApiKey('live');
  const userId = await deps.db.withTenant(tenantId, async (tx) => {
    const { id } = await tx
      .insertInto('users')
      .values({ tenant_id: tenantId, email, name: email, password_hash: 'none', role: 'coordinator' })
      .returning('id')
      .executeTakeFirstOrThrow();
    await addKey(tx, tenantId, id, apiKey);
    return id;
  });
  return { userId, apiKey };
}

/** One more API key of a person. */
export async function addKeyOf(deps: TestDeps, tenantId: number, userId: string): Promise<string> {
  const apiKey = newApiKey('live');
  await deps.db.withTenant(tenantId, (tx) => addKey(tx, tenantId, userId, apiKey));
  return apiKey;
}

const addKey = (tx: Parameters<Parameters<TestDeps['db']['withTenant']>[1]>[0], tenantId: number, userId: string, apiKey: string) =>
  tx
    .insertInto('api_keys')
    .values({ tenant_id: tenantId, name: 'key', key_hash: hashApiKey(apiKey), mode: 'live', scopes: ALL_SCOPES, user_id: userId })
    .execute();

/** What these tests need of an app: a hono app, or anything that answers requests like one. */
interface App {
  request(path: string, init: RequestInit): Response | Promise<Response>;
}

/** Requests below /v1 with this key, as a program makes them: text goes as it is, anything else as JSON. */
export const requestsOf =
  (app: App, key: string) =>
  async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> => {
    const raw = typeof body === 'string';
    return app.request(`/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
  };

/** The same with the answer read. */
export const apiOf =
  (app: App, key: string) =>
  async <T = Record<string, unknown>>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> => {
    const answer = await requestsOf(app, key)(method, path, body, headers);
    const text = await answer.text();
    return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
  };
