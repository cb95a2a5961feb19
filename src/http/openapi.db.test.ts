import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hooksOf, installChannels } from '#channels/registry.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { createApp } from './app.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

test('schemas/openapi.json is what the routes say (vitest -u writes it)', async () => {
  const response = await createApp(deps, { hooks: hooksOf(await installChannels(deps.config)) }).request('/v1/openapi.json');
  expect(response.status).toBe(200);
  await expect(`${JSON.stringify(await response.json(), null, 2)}\n`).toMatchFileSnapshot('../../schemas/openapi.json');
});

test('a real message fits its own schema in the document', async () => {
  const { tenantId, apiKey } = await deps.tenant();
  await deps.db.withTenant(tenantId, (tx) => tx.insertInto('recipients').values({ tenant_id: tenantId, phone: '+15559990000' }).execute());
  const app = createApp(deps);
  const { id } = await createMessage(deps.as(tenantId), {
    class: 'ops',
    drill: false,
    title: 'T',
    text: { en: 'Come' },
    audience: { and: [{ all: true }, { not: { tags: ['x'] } }] },
    channels: ['sms'],
    answers: [{ key: 'yes', label: 'Yes', counts: true }],
    share: true,
    launch: true,
  });
  const document = (await (await app.request('/v1/openapi.json')).json()) as { components: object };
  const ajv = new Ajv2020({ strict: false });
  (addFormats as unknown as (target: Ajv2020) => void)(ajv);
  ajv.addSchema({ $id: 'https://muster.example/openapi', ...document });
  const validate = ajv.compile({ $ref: 'https://muster.example/openapi#/components/schemas/Message' });
  const view: unknown = await (await app.request(`/v1/messages/${id}`, { headers: { authorization: `Bearer ${apiKey}` } })).json();
  expect(validate(view), JSON.stringify(validate.errors)).toBe(true);
  expect(validate({ ...(view as object), state: 'lost' })).toBe(false);
});
