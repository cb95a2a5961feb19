import { serve } from '@hono/node-server';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { createApp } from '#http/app.ts';

let deps: TestDeps;
let base: string;
let server: ReturnType<typeof serve>;
beforeAll(async () => {
  deps = await createTestDeps({ MUSTER_DATA: '.muster/test-import' });
  await new Promise<void>((listening) => {
    server = serve({ fetch: createApp(deps).fetch, port: 0, hostname: '127.0.0.1' }, () => listening());
  });
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(async () => {
  await new Promise((closed) => server.close(closed));
  await deps.close();
});

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // Bodies of many shapes; each test says what it expects of them.
  json: Record<string, unknown>;
}

/** Speaks for one fresh tenant. */
async function client() {
  const { apiKey } = await deps.tenant();
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> => {
    const raw = typeof body === 'string' || body instanceof ReadableStream;
    const answer = await fetch(base + path, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...(raw || body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body), duplex: 'half' as const }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: /json/.test(answer.headers.get('content-type') ?? '') ? (JSON.parse(text) as Record<string, unknown>) : {},
    };
  };
}

const CSV = { 'content-type': 'text/csv' };

test('a person is added once under a key, found, changed, erased, and gone', async () => {
  const call = await client();
  const key = { 'idempotency-key': 'a' };
  const made = await call('POST', '/recipients', { name: 'Ann', phone: '4155550100' }, key);
  expect(made).toMatchObject({ status: 201, json: { phone: '+14155550100' } });
  expect(await call('POST', '/recipients', { name: 'Ann', phone: '4155550100' }, key)).toMatchObject({ status: 201, text: made.text });
  const path = `/recipients/${String(made.json['id'])}`;
  expect(made.headers.get('location')).toBe(`/v1${path}`);
  expect(await call('GET', '/recipients?q=ann')).toMatchObject({ status: 200, json: { items: [{ name: 'Ann' }], next: null } });
  expect(await call('PATCH', path, { name: null, tags: ['x'] })).toMatchObject({ status: 200, json: { name: null, tags: ['x'] } });
  expect(await call('PATCH', path, { nmae: 'x' })).toMatchObject({ status: 422, json: { errors: [{ field: 'nmae', code: 'unknown_field' }] } });
  expect(await call('PUT', `${path}/consent/bulk`, { agreed: true })).toMatchObject({ status: 200, json: { consent: ['life', 'ops', 'bulk'] } });
  expect(await call('PUT', `${path}/consent/other`, { agreed: true })).toMatchObject({ status: 422 });
  expect(await call('DELETE', path)).toMatchObject({ status: 204, text: '' });
  expect(await call('GET', path)).toMatchObject({ status: 410, json: { code: 'erased' } });
  expect(await call('GET', '/recipients/rcp_x')).toMatchObject({ status: 404, json: { code: 'not_found' } });
});

describe('import', () => {
  test('takes CSV and NDJSON as they stream in, and answers a repeat under the same key from memory', async () => {
    const call = await client();
    const key = { 'idempotency-key': 'b' };
    const file = 'phone,name\n+14155550100,Ann\n12,Bob\n';
    const first = await call('POST', '/recipients/import', file, { ...CSV, ...key });
    expect(first).toMatchObject({ status: 200, json: { created: 1, rejected: 1, errors: [{ line: 3, field: 'phone', code: 'bad_phone' }] } });
    expect(await call('POST', '/recipients/import', file, { ...CSV, ...key })).toMatchObject({ status: 200, text: first.text });
    expect(await call('POST', '/recipients/import', file, { 'content-type': 'text/csv; charset=utf-8' })).toMatchObject({
      json: { created: 0, unchanged: 1, rejected: 1 },
    });
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of ['{"phone":"+1415', '5550101"}\n{"pho', 'ne":"+14155550102"}']) controller.enqueue(Buffer.from(piece));
        controller.close();
      },
    });
    expect(await call('POST', '/recipients/import', pieces, { 'content-type': 'application/x-ndjson' })).toMatchObject({ status: 200, json: { created: 2 } });
  });

  test('refuses other types with 415, and wrong files with 422 naming what', async () => {
    const call = await client();
    for (const type of ['application/json', 'text/plain', 'text/csv; charset=iso-8859-1'])
      expect(await call('POST', '/recipients/import', 'phone\n+14155550100\n', { 'content-type': type })).toMatchObject({
        status: 415,
        json: { code: 'unsupported_media_type' },
      });
    expect(await call('POST', '/recipients/import', 'phone,shoe\n', CSV)).toMatchObject({
      status: 422,
      json: { code: 'unknown_column', errors: [{ field: 'shoe' }] },
    });
    expect(await call('POST', '/recipients/import', '', CSV)).toMatchObject({ status: 422, json: { code: 'missing_header' } });
    expect(await call('GET', '/recipients')).toMatchObject({ json: { items: [] } });
  });

  test('what an export gives, an import takes back unchanged, formulas and all', async () => {
    const call = await client();
    const people = [
      {
        externalId: '=1+1',
        name: '@"Ann", \'x',
        phone: '+14155550100',
        email: '-a@example.org',
        locale: 'de',
        timeZone: 'Europe/Berlin',
        lat: -1.5,
        lon: 2,
        tags: ['a', 'b c'],
        consent: ['life', 'bulk'],
      },
      { externalId: '2', name: '+Bob', consent: [] },
      { phone: '+14155550102' },
    ];
    for (const person of people) expect((await call('POST', '/recipients', person)).status).toBe(201);
    const exported = await call('GET', '/recipients?format=csv');
    expect(exported.headers.get('content-type')).toMatch(/^text\/csv/);
    expect(exported.text).not.toMatch(/(^|[,\n])"?[=+@-]/);
    expect(await call('POST', '/recipients/import', exported.text, CSV)).toMatchObject({ status: 200, json: { rows: 3, unchanged: 3, errors: [] } });
  });
});

test('suppressions over HTTP', async () => {
  const call = await client();
  expect(await call('POST', '/suppressions', { address: 'Ann@example.org' })).toMatchObject({ status: 201, json: { added: 2 } });
  expect(await call('GET', '/suppressions')).toMatchObject({
    status: 200,
    json: { items: [{ address: 'ann@example.org', reason: 'manual' }, { address: 'ann@example.org' }] },
  });
  expect(await call('DELETE', '/suppressions?address=ann%40example.org')).toMatchObject({ status: 204 });
  expect(await call('DELETE', '/suppressions?address=ann%40example.org')).toMatchObject({ status: 404 });
});

test('a preview counts, and refuses open polygons, unknown fields and unknown people by name', async () => {
  const call = await client();
  await call('POST', '/recipients', { phone: '4155550100', lat: 1, lon: 1 });
  const square = [
    [0, 0],
    [2, 0],
    [2, 2],
    [0, 2],
  ];
  const within = (ring: number[][]) => ({ audience: { within: { type: 'Polygon', coordinates: [ring] } } });
  expect(await call('POST', '/audiences/preview', { ...within([...square, [0, 0]]), text: { en: 'Hi' } })).toMatchObject({
    status: 200,
    json: { count: 1, channels: { push: 0, sms: 1, email: 0 }, unreachable: 0, suppressed: 0, segments: 1, units: 1, encoding: 'GSM-7' },
  });
  const open = await call('POST', '/audiences/preview', within(square));
  expect(open.status).toBe(422);
  expect(open.text).toMatch(/not closed/);
  expect(await call('POST', '/audiences/preview', { audience: { all: true }, colour: 1 })).toMatchObject({
    status: 422,
    json: { errors: [{ field: 'colour', code: 'unknown_field' }] },
  });
  expect(await call('POST', '/audiences/preview', { audience: { not: { ids: ['msg_1'] } } })).toMatchObject({
    status: 422,
    json: { errors: [{ field: 'audience.not.ids[0]', code: 'unknown_recipient' }] },
  });
  expect(await call('POST', '/audiences/preview', { audience: { all: true }, text: { en: 'Hi {{nam}}' } })).toMatchObject({
    status: 422,
    json: { errors: [{ field: 'text.en', code: 'unknown_slot' }] },
  });
});
