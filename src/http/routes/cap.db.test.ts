import { OpenAPIHono } from '@hono/zod-openapi';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { AppEnv } from '#http/env.ts';
import { parseCap } from '#render/cap-xml.ts';
import type { MessageView } from '#schemas/views.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
let app: OpenAPIHono<AppEnv>;
let key: string;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ apiKey: key } = await deps.tenant());
  app = createApp(deps);
});
afterAll(() => deps.close());

const alert = (identifier: string): string => `<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>${identifier}</identifier><sender>met@example.test</sender><sent>2026-05-01T10:00:00+02:00</sent>
<status>Exercise</status><msgType>Alert</msgType><scope>Public</scope>
<info><category>Met</category><event>Flood</event><urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty><area><areaDesc>Valley</areaDesc></area></info></alert>`;
const post = (body: string | ReadableStream, type: string | undefined = 'application/cap+xml', headers: Record<string, string> = {}) =>
  app.request('/v1/cap', {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${key}`, ...(type ? { 'content-type': type } : {}), ...headers },
    ...(typeof body === 'string' ? {} : { duplex: 'half' }),
  });

test.each(['application/cap+xml', 'text/xml; charset=utf-8', 'Application/XML'])('%s becomes a draft, and the same one again', async (type) => {
  const xml = alert(`type-${type.length}`);
  const first = await post(xml, type);
  const made = (await first.json()) as MessageView;
  expect(first.status).toBe(201);
  expect(first.headers.get('location')).toBe(`/v1/messages/${made.id}`);
  expect(made).toMatchObject({ state: 'draft', drill: true, title: 'Flood' });
  const again = await post(xml, type);
  expect(again.status).toBe(201);
  expect(((await again.json()) as MessageView).id).toBe(made.id);
});

it('answers an Idempotency-Key with the first answer', async () => {
  const headers = { 'idempotency-key': 'cap-1' };
  const first = await post(alert('key'), undefined, headers);
  const again = await post(alert('key'), undefined, headers);
  expect([first.status, again.status]).toEqual([201, 201]);
  expect(await again.text()).toBe(await first.text());
  expect((await post(alert('other'), undefined, headers)).status).toBe(422);
});

it.each(['application/json', 'text/plain', 'application/atom+xml'])('refuses %s', async (type) => {
  const response = await post(alert('x'), type);
  expect(response.status).toBe(415);
  expect(await response.json()).toMatchObject({ code: 'unsupported_media_type' });
});

it('names line and reason of a broken alert', async () => {
  const response = await post(alert('x').replace('<event>Flood</event>', ''));
  expect(response.status).toBe(400);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({
    code: 'cap_schema',
    line: 4,
    reason: expect.stringContaining("Element 'urgency'"),
    errors: [{ field: 'urgency', code: 'cap_schema', detail: expect.stringMatching(/^line 4: /) }],
  });
});

it('refuses entities and names the field of a broken rule', async () => {
  expect(await (await post(alert('x').replace('<alert', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><alert'))).json()).toMatchObject({
    status: 400,
    code: 'xml_refused',
    line: 2,
  });
  expect(await (await post(alert('a b'))).json()).toMatchObject({ status: 422, code: 'cap_rule', errors: [{ field: 'identifier' }] });
});

it('refuses more than 2 MB, told or counted', async () => {
  const large = alert('x').replace('Flood', 'a'.repeat(2 * 1024 * 1024));
  expect((await post(large, undefined, { 'content-length': String(large.length) })).status).toBe(413);
  expect((await post(new Blob([large]).stream())).status).toBe(413);
});

it('gives a message as CAP', async () => {
  const made = (await (await post(alert('out'))).json()) as MessageView;
  const response = await app.request(`/v1/messages/${made.id}/cap`, { headers: { authorization: `Bearer ${key}` } });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/cap+xml; charset=utf-8');
  const { alert: out } = await parseCap(new Uint8Array(await response.arrayBuffer()));
  expect(out).toMatchObject({ identifier: made.id, status: 'Draft', info: [{ event: 'Flood' }] });
  expect((await app.request('/v1/messages/msg_nothing/cap', { headers: { authorization: `Bearer ${key}` } })).status).toBe(404);
});
