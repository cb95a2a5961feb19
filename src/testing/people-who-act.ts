import { hashApiKey, newApiKey } from '#platform/api-key.ts';
import { ALL_SCOPES } from '#services/organisations/create-tenant.ts';
import type { TestDeps } from './deps.ts';

/** Another person of a tenant, who may do everything, with an API key of his own. */
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

export interface Answered<T> {
  status: number;
  json: T;
}

/** Requests to the app as a program makes them. */
export const apiOf =
  (app: { request(path: string, init: RequestInit): Response | Promise<Response> }, key: string) =>
  async <T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Answered<T>> => {
    const answer = await app.request(`/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, json: (await answer.json()) as T };
  };
