import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import type { Context } from '#services/context.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { eraseRecipient } from '#services/recipients/erase-recipient.ts';
import { importRecipients } from './import-recipients.ts';
import type { ImportResult } from './record-import.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps({ MUSTER_DATA: '.muster/test-import' });
});
afterAll(() => deps.close());

/** Gives the file in pieces of a few bytes, so that characters, quotes and line breaks are cut everywhere. */
async function* bytes(data: string | Uint8Array, piece = 7): AsyncGenerator<Uint8Array> {
  const all = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < all.length; at += piece) yield all.subarray(at, at + piece);
}

const newTenant = async (): Promise<Context> => deps.as((await deps.tenant()).tenantId);
const csv = (ctx: Context, text: string | Uint8Array): Promise<ImportResult> => importRecipients(ctx, bytes(text), { format: 'csv' });
const people = (ctx: Context) =>
  ctx.db.withTenant(ctx.tenantId, (tx) =>
    tx.selectFrom('recipients').selectAll().where('tenant_id', '=', ctx.tenantId).orderBy('id').execute(),
  );
const zero = { rows: 0, created: 0, updated: 0, unchanged: 0, merged: 0, rejected: 0 };
const errorsOf = (result: ImportResult) => result.errors.map(({ line, field, code }) => [line, field, code]);

describe('reading', () => {
  test('byte order mark, CRLF, quotes, a line break in quotes, an empty line and no line break at the end', async () => {
    const ctx = await newTenant();
    const result = await csv(
      ctx,
      '\ufeffexternal_id,Name,phone,email,tags,consent\r\n' +
        '1,"Müller, ""Ann""",+1 (415) 555-0100,Ann@Example.ORG,"b;a;b",life;ops\r\n\r\n' +
        '2,"broken\r\nname",+14155550101,,,\r\n' +
        '3,Łukasz,415-555-0102,,,none',
    );
    expect(result).toMatchObject({ ...zero, rows: 3, created: 2, rejected: 1, errorsTruncated: false });
    expect(errorsOf(result)).toEqual([[4, 'name', 'control_character']]);
    const [ann, lukasz] = await people(ctx);
    expect(ann).toMatchObject({
      external_id: '1',
      name: 'Müller, "Ann"',
      phone: '+14155550100',
      email: 'ann@example.org',
      tags: ['a', 'b'],
      consent: ['life', 'ops'],
    });
    expect(lukasz).toMatchObject({ name: 'Łukasz', phone: '+14155550102', consent: [], tags: [] });
  });

  test('every wrong row is named with its line, field and reason, and the good ones are kept', async () => {
    const ctx = await newTenant();
    const result = await csv(
      ctx,
      [
        'external_id,phone,email,locale,time_zone,lat,lon,consent',
        'good1,+14155550100,,en_US,Europe/Berlin,47.5,8.5,life',
        'p,12345,not an address,xx-nonsense-0,Mars/Base,91,8,marketing',
        'q,+14155550101,,,,47,,',
        ',,,en,,,,',
        'short,+14155550102',
        'r,"never closed,,,,,,',
        'good2,+14155550103,,,,,,',
        's,five"inch,,,,,,',
        't,+1 415 555 0104 ext 7,,,,,,',
        "good3,,o'neil@example.org,de,,,,none",
      ].join('\n'),
    );
    expect(result).toMatchObject({ ...zero, rows: 10, created: 3, rejected: 7 });
    expect(errorsOf(result)).toEqual([
      [3, 'phone', 'bad_phone'],
      [3, 'email', 'bad_email'],
      [3, 'locale', 'bad_locale'],
      [3, 'time_zone', 'bad_time_zone'],
      [3, 'lat', 'bad_lat'],
      [3, 'consent', 'bad_consent'],
      [4, 'lon', 'place_incomplete'],
      [5, 'row', 'no_identity'],
      [6, 'row', 'wrong_columns'],
      [7, 'row', 'bad_quotes'],
      [9, 'row', 'bad_quotes'],
      [10, 'phone', 'bad_phone'],
    ]);
    expect((await people(ctx)).map((p) => [p.external_id, p.locale, p.lat])).toEqual([
      ['good1', 'en-US', 47.5],
      ['good2', null, null],
      ['good3', 'de', null],
    ]);
  });

  test.each([
    ['UTF-16 little endian with its mark', Buffer.from('\ufeffphone\n+14155550100\n', 'utf16le'), /UTF-16/],
    ['UTF-16 big endian with its mark', Buffer.from('\ufeffphone\n+14155550100\n', 'utf16le').swap16(), /UTF-16/],
    ['UTF-16 without a mark', Buffer.from('phone\n+14155550100\n', 'utf16le'), /UTF-16/],
    ['Latin-1', Buffer.from('name,phone\nBob,+14155550100\nJürgen,+14155550101\n', 'latin1'), /line 3 .*Latin-1/],
  ])('%s is refused before anything is written', async (_, data, message) => {
    const ctx = await newTenant();
    await expect(csv(ctx, data)).rejects.toMatchObject({ status: 422, code: 'wrong_encoding', message: expect.stringMatching(message) });
    expect(await people(ctx)).toEqual([]);
  });

  test.each([
    ['nothing', '', 'missing_header', ['header']],
    ['no header', '+14155550100,Ann\n', 'missing_header', ['header']],
    ['unknown columns', 'phone,shoe size,e-mail\n', 'unknown_column', ['shoe_size', 'e_mail']],
    ['a column twice', 'phone,Phone\n', 'repeated_column', ['phone']],
    ['no column that names a person', 'name,tags\n', 'missing_column', ['external_id', 'phone', 'email']],
  ])('a file with %s is refused, naming what', async (_, text, code, fields) => {
    await expect(csv(await newTenant(), text)).rejects.toMatchObject({
      status: 422,
      code,
      errors: fields.map((field) => expect.objectContaining({ field })),
    });
  });

  test('semicolons and tabs between fields, as spreadsheets write them in many countries', async () => {
    const ctx = await newTenant();
    expect(await csv(ctx, 'phone;name;tags\n+14155550100;Ann;"a;b"\n')).toMatchObject({ created: 1 });
    expect(await csv(ctx, 'phone\tname\n+14155550101\tBob\n')).toMatchObject({ created: 1 });
    expect((await people(ctx)).map((p) => [p.name, p.tags])).toEqual([
      ['Ann', ['a', 'b']],
      ['Bob', []],
    ]);
  });

  test('NDJSON: lists and numbers as JSON has them, wrong lines named', async () => {
    const ctx = await newTenant();
    const lines = [
      '{"phone":"+14155550100","tags":["a","b"],"lat":1,"lon":2.5,"consent":["ops"]}',
      '',
      '{"phone":',
      '[1]',
      '{"phone":"+14155550101","shoe":3}',
      '{"phone":{"a":1}}',
      '{"externalId":"7"}',
    ];
    const result = await importRecipients(ctx, bytes(`\ufeff${lines.join('\r\n')}`), { format: 'ndjson' });
    expect(result).toMatchObject({ ...zero, rows: 6, created: 2, rejected: 4 });
    expect(errorsOf(result)).toEqual([
      [3, 'row', 'bad_json'],
      [4, 'row', 'bad_json'],
      [5, 'shoe', 'unknown_field'],
      [6, 'phone', 'wrong_type'],
    ]);
    expect((await people(ctx))[0]).toMatchObject({ tags: ['a', 'b'], lat: 1, lon: 2.5, consent: ['ops'] });
  });

  test('an upload that breaks off writes nothing', async () => {
    const ctx = await newTenant();
    async function* broken() {
      yield Buffer.from('phone\n+14155550100\n');
      throw new Error('connection lost');
    }
    await expect(importRecipients(ctx, broken(), { format: 'csv' })).rejects.toThrow('connection lost');
    expect(await people(ctx)).toEqual([]);
  });
});

describe('merging', () => {
  test('the same file again changes nothing, a changed one only what it changes, and empty cells leave what is there', async () => {
    const ctx = await newTenant();
    const file = 'external_id,name,phone,email,tags\n1,Ann,+14155550100,ann@example.org,b;a\n2,Bob,+14155550101,,\n';
    expect(await csv(ctx, file)).toMatchObject({ ...zero, rows: 2, created: 2 });
    expect(await csv(ctx, file)).toMatchObject({ ...zero, rows: 2, unchanged: 2 });
    const again = 'external_id,name,phone,tags\n1,,+14155550109,c\n2,Bob,,\n3,Cem,+14155550100,\n';
    expect(await csv(ctx, again)).toMatchObject({ ...zero, rows: 3, updated: 1, unchanged: 1, created: 1 });
    expect((await people(ctx)).map((p) => [p.external_id, p.name, p.phone, p.email, p.tags])).toEqual([
      ['1', 'Ann', '+14155550109', 'ann@example.org', ['c']],
      ['2', 'Bob', '+14155550101', null, []],
      ['3', 'Cem', '+14155550100', null, []],
    ]);
  });

  test('duplicates by external id, phone or e-mail become one person, are counted, and add their tags', async () => {
    const ctx = await newTenant();
    const file =
      'external_id,name,phone,email,tags\n1,Ann,+14155550100,,a\n,Ann L,(415) 555-0100,ann@example.org,b\n,,,ANN@example.org,c\n1,Ann,,,d\n' +
      // A household shares one phone: another external id of the same number is one person and gets one message.
      '2,Ben,+14155550100,,zone-2\n';
    expect(await csv(ctx, file)).toMatchObject({ ...zero, rows: 5, created: 1, merged: 4, warningCount: 0 });
    expect((await people(ctx)).map((p) => [p.external_id, p.name, p.phone, p.email, p.tags])).toEqual([
      ['1', 'Ann', '+14155550100', 'ann@example.org', ['a', 'b', 'c', 'd', 'zone-2']],
    ]);
    expect(await csv(ctx, '2,x\n'.replace('2,x', 'external_id,phone,tags\n2,+14155550100,zone-2'))).toMatchObject({
      ...zero,
      rows: 1,
      merged: 1,
    });
  });

  test('a row whose phone and e-mail belong to two people is rejected, naming both', async () => {
    const ctx = await newTenant();
    await csv(ctx, 'phone,email\n+14155550100,a@example.org\n+14155550101,b@example.org\n');
    const result = await csv(ctx, 'phone,email,name\n+14155550100,b@example.org,X\n+14155550102,c@example.org,Y\n');
    expect(result).toMatchObject({ ...zero, rows: 2, created: 1, rejected: 1 });
    expect(errorsOf(result)).toEqual([
      [2, 'phone', 'address_conflict'],
      [2, 'email', 'address_conflict'],
    ]);
    expect((await people(ctx)).map((p) => p.name)).toEqual([null, null, 'Y']);
  });

  test('numbers pass from one person to another within a file, and a dead mark stays with the old number', async () => {
    const ctx = await newTenant();
    await csv(ctx, 'external_id,phone\n1,+14155550100\n2,+14155550101\n');
    await ctx.db.withTenant(ctx.tenantId, (tx) =>
      tx
        .updateTable('recipients')
        .set({ phone_invalid_at: new Date(0) })
        .where('tenant_id', '=', ctx.tenantId)
        .execute(),
    );
    expect(await csv(ctx, 'external_id,phone\n1,+14155550102\n2,+14155550100\n3,+14155550101\n')).toMatchObject({
      ...zero,
      rows: 3,
      updated: 2,
      created: 1,
    });
    expect((await people(ctx)).map((p) => [p.external_id, p.phone, p.phone_invalid_at])).toEqual([
      ['1', '+14155550102', null],
      ['2', '+14155550100', null],
      ['3', '+14155550101', null],
    ]);
  });

  test('two imports of one list at once make each person once', async () => {
    const ctx = await newTenant();
    const file = `phone\n${Array.from({ length: 3_000 }, (_, i) => `+1415555${1000 + i}`).join('\n')}\n`;
    const results = await Promise.all([1, 2, 3].map(() => importRecipients(ctx, bytes(file, 10_000), { format: 'csv' })));
    expect(results.reduce((sum, r) => sum + r.created, 0)).toBe(3_000);
    expect(results.reduce((sum, r) => sum + r.unchanged, 0)).toBe(6_000);
    expect(await people(ctx)).toHaveLength(3_000);
  });

  test('an erased person is not brought back by any address, and the other rows are', async () => {
    const ctx = await newTenant();
    const { id } = await createRecipient(ctx, { externalId: '9', phone: '+14155550100', email: 'Gone@example.org' });
    await eraseRecipient(ctx, id);
    const result = await csv(
      ctx,
      'external_id,phone,email\n,+14155550100,\n,,gone@EXAMPLE.org\n9,+14155550108,\n10,+14155550109,new@example.org\n',
    );
    expect(result).toMatchObject({ ...zero, rows: 4, created: 1, rejected: 3 });
    expect(errorsOf(result)).toEqual([
      [2, 'phone', 'erased'],
      [3, 'email', 'erased'],
      [4, 'external_id', 'erased'],
    ]);
  });
});

test('100,000 rows through a file on disk: memory stays flat, duplicates are found across batches, errors stop at a thousand', async () => {
  const ctx = await newTenant();
  async function* rows() {
    let text = 'external_id,name,phone,email,tags\n';
    for (let i = 0; i < 100_000; i++) {
      text +=
        i % 50 === 49
          ? `E${i},Nobody,123,,\n`
          : i % 50 === 48
            ? `,Again,+1415${2_000_000 + i - 48},,again\n`
            : `E${i},"Person, ${i}",+1415${2_000_000 + i},p${i}@example.org,a;b\n`;
      if (text.length > 60_000) {
        yield Buffer.from(text);
        text = '';
      }
    }
    yield Buffer.from(text);
  }
  const before = process.memoryUsage().rss;
  let peak = 0;
  const timer = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 10);
  const result = await importRecipients(ctx, rows(), { format: 'csv' });
  clearInterval(timer);
  expect(result).toMatchObject({ ...zero, rows: 100_000, created: 96_000, merged: 2_000, rejected: 2_000, errorsTruncated: true });
  expect(result.errors).toHaveLength(1_000);
  expect(result.errors[0]).toMatchObject({ line: 51, field: 'phone' });
  // The file has 5 MB, and its people as objects would take 60. A batch and the garbage of a few stay below 200.
  expect((peak - before) / 1e6).toBeLessThan(200);
}, 60_000);
