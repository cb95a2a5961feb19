import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import type { Context } from './context.ts';
import { importRecipients } from './import-recipients.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps({ MUSTER_DATA: '.muster/test-import' });
});
afterAll(() => deps.close());

/** In pieces of a few bytes, so that characters, quotes and line breaks are cut everywhere. */
async function* bytes(data: string | Uint8Array, piece = 7): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(data as string);
  for (let at = 0; at < all.length; at += piece) yield all.subarray(at, at + piece);
}

const newTenant = async (): Promise<Context> => deps.as((await deps.tenant()).tenantId);
const importCsv = (ctx: Context, text: string | Uint8Array) => importRecipients(ctx, bytes(text), { format: 'csv' });
const people = (ctx: Context) =>
  ctx.db.withTenant(ctx.tenantId, (tx) => tx.selectFrom('recipients').selectAll().where('tenant_id', '=', ctx.tenantId).orderBy('id').execute());

const counts = ({ rows, created, updated, unchanged, merged, rejected }: Awaited<ReturnType<typeof importCsv>>) => ({
  rows,
  created,
  updated,
  unchanged,
  merged,
  rejected,
});
const none = { rows: 0, created: 0, updated: 0, unchanged: 0, merged: 0, rejected: 0 };

describe('reading', () => {
  test('byte order mark, CRLF, quotes, a line break in quotes, an empty line and no line break at the end', async () => {
    const ctx = await newTenant();
    const text =
      '\ufeffexternal_id,Name,phone,email,tags,consent\r\n' +
      '1,"Müller, ""Ann""",+1 (415) 555-0100,Ann@Example.ORG,"b;a;b",life;ops\r\n' +
      '\r\n' +
      '2,"broken\r\nname",+14155550101,,,\r\n' +
      '3,Łukasz,415-555-0102,,,none';
    const result = await importCsv(ctx, text);
    expect(counts(result)).toEqual({ ...none, rows: 3, created: 2, rejected: 1 });
    expect(result.errors).toEqual([{ line: 4, field: 'name', code: 'control_character', detail: expect.any(String) }]);
    const [ann, lukasz] = await people(ctx);
    expect(ann).toMatchObject({
      external_id: '1',
      name: 'Müller, "Ann"',
      phone: '+14155550100',
      email: 'ann@example.org',
      tags: ['a', 'b'],
      consent: '{life,ops}',
    });
    expect(lukasz).toMatchObject({ name: 'Łukasz', phone: '+14155550102', consent: [], tags: [] });
  });
});
