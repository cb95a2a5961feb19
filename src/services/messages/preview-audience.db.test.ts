import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countSegments } from '#domain/message/segments.ts';
import { previewInputSchema } from '#schemas/message.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addSuppression } from '#services/recipients/add-suppression.ts';
import type { Context } from '#services/context.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { previewAudience } from './preview-audience.ts';
import { renderSample, type SampleView } from './render-sample.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const newTenant = async (change = {}): Promise<Context> => deps.as((await deps.tenant(change)).tenantId);
const preview = (ctx: Context, input: object) => previewAudience(ctx, previewInputSchema.parse({ audience: { all: true }, ...input }));
const withPush = (ctx: Context, publicId: string) =>
  ctx.db.withTenant(ctx.tenantId, (tx) =>
    tx
      .updateTable('recipients')
      .set({ push_count: 1 })
      .where('id', '=', ctx.ids.decode('rcp', publicId) ?? '')
      .execute(),
  );

/** All three; SMS and mail, said stop to SMS; mail only, agreed to bulk; SMS with a dead number; nothing. */
async function five(ctx: Context): Promise<void> {
  const all = await createRecipient(ctx, {
    name: 'Ann Lee',
    phone: '+14155550100',
    email: 'ann@example.org',
    consent: ['life', 'ops', 'bulk'],
  });
  await withPush(ctx, all.id);
  await createRecipient(ctx, { name: 'Bob', phone: '+14155550101', email: 'bob@example.org' });
  await addSuppression(ctx, { address: '+1 415 555 0101' });
  await createRecipient(ctx, { name: 'Cem', email: 'cem@example.org', consent: ['bulk'] });
  const dead = await createRecipient(ctx, { name: 'Dot', phone: '+14155550102' });
  await ctx.db.withTenant(ctx.tenantId, (tx) =>
    tx
      .updateTable('recipients')
      .set({ phone_invalid_at: sql`now()` })
      .where('id', '=', ctx.ids.decode('rcp', dead.id) ?? '')
      .execute(),
  );
  await createRecipient(ctx, { externalId: 'nobody' });
}

test('ops takes the first channel that reaches each person, and everybody is counted once', async () => {
  const ctx = await newTenant();
  await five(ctx);
  expect(await preview(ctx, { class: 'ops' })).toMatchObject({
    count: 5,
    channels: { push: 1, sms: 0, email: 1 },
    unreachable: 2,
    suppressed: 1,
  });
  expect(await preview(ctx, { class: 'ops', channels: ['sms'] })).toMatchObject({
    channels: { push: 0, sms: 1, email: 0 },
    unreachable: 3,
    suppressed: 1,
  });
});

test('life goes by every channel, asks no consent, and still obeys a stop', async () => {
  const ctx = await newTenant();
  await five(ctx);
  expect(await preview(ctx, { class: 'life' })).toMatchObject({
    count: 5,
    channels: { push: 1, sms: 1, email: 3 },
    unreachable: 2,
    suppressed: 0,
  });
  expect(await preview(ctx, { class: 'life', channels: ['sms'] })).toMatchObject({ channels: { sms: 1 }, unreachable: 3, suppressed: 1 });
});

test('bulk reaches only those who agreed', async () => {
  const ctx = await newTenant();
  await five(ctx);
  expect(await preview(ctx, { class: 'bulk', channels: ['email', 'sms'] })).toMatchObject({
    channels: { push: 0, sms: 0, email: 2 },
    unreachable: 2,
    suppressed: 1,
  });
});

test('a plan counts on each channel whoever any of its waves could call', async () => {
  const ctx = await newTenant();
  await five(ctx);
  const plan = { plan: [{ channels: ['push', 'email'] }, { channels: ['sms'], afterSeconds: 60 }] };
  expect(await preview(ctx, { class: 'ops', channels: plan })).toMatchObject({
    channels: { push: 1, sms: 1, email: 1 },
    unreachable: 2,
    suppressed: 1,
  });
});

test('a suppression stops one sender alone: the drill sender still reaches the person', async () => {
  const ctx = await newTenant();
  await createRecipient(ctx, { phone: '+14155550101' });
  const senders = await ctx.db.withTenant(ctx.tenantId, (tx) =>
    tx.selectFrom('senders').select(['id', 'drill']).where('channel', '=', 'sms').execute(),
  );
  const live = senders.find((sender) => !sender.drill);
  await addSuppression(ctx, { address: '+14155550101', senderId: ctx.ids.encode('snd', live?.id ?? 0) });
  expect(await preview(ctx, {})).toMatchObject({ channels: { sms: 0 }, suppressed: 1 });
  expect(await preview(ctx, { drill: true })).toMatchObject({ channels: { sms: 1 }, suppressed: 0 });
});

test('without a sender a channel reaches nobody, and says so; the forecast is units by rate', async () => {
  const ctx = await newTenant({ senders: [{ channel: 'sms', name: 'SMS', address: '+15550009999', unitsPerSecond: 2 }] });
  for (let i = 0; i < 5; i++) await createRecipient(ctx, { phone: `+1415555010${i}`, email: `p${i}@example.org` });
  const view = await preview(ctx, { class: 'life', text: { en: 'x'.repeat(200) } });
  expect(view).toMatchObject({ channels: { push: 0, sms: 5, email: 0 }, segments: 2, units: 10, forecast: { seconds: 5 } });
  expect(view.warnings.filter((warning) => warning.code === 'no_sender')).toHaveLength(2);
  expect(await preview(ctx, { audience: { tags: ['nobody'] } })).toMatchObject({
    count: 0,
    hash: '0',
    warnings: expect.arrayContaining([expect.objectContaining({ code: 'empty_audience' })]),
  });
});

test('segments count the text as sent, with hint and link, per locale and per name', async () => {
  const ctx = await newTenant();
  await createRecipient(ctx, { name: 'Ann Lee', phone: '+14155550100', locale: 'en' });
  await createRecipient(ctx, { name: 'Souza, Zoë-Łucja', phone: '+14155550101', locale: 'en-GB' });
  await createRecipient(ctx, { name: '{Curly} ~', phone: '+14155550102' });
  await createRecipient(ctx, { name: 'Юрий 😀', phone: '+14155550103', locale: 'de' });
  const text = { en: `Hello {{first_name}}, come to the hall. ${'y'.repeat(70)}`, de: 'Hallo {{name}}’s, komm bitte!' };
  const input = { class: 'ops' as const, drill: false, text, answers: [{ key: 'yes', label: 'Yes' }], share: false };
  const view = await preview(ctx, input);
  const [en, de] = await renderSample(ctx, input);
  const textOf = (sample: SampleView | undefined): string => {
    const sms = sample?.channels.find((one) => one.channel === 'sms');
    return sms?.renders === 'short_text' ? sms.text : '';
  };
  const link = (sample: SampleView | undefined, name: string, first: string) =>
    textOf(sample)
      .replace('/r/…', `/r/${'x'.repeat(23)}`)
      .replace('Alex Morgan', name)
      .replace('Alex', first);
  const sent = [link(en, '', 'Ann'), link(en, '', 'Zoë-Łucja'), link(en, '', '{Curly}'), link(de, 'Юрий 😀', '')].map(countSegments);
  expect(view.units).toBe(sent.reduce((sum, one) => sum + one.segments, 0));
  expect(view.segments).toBe(Math.max(...sent.map((one) => one.segments)));
  expect(view.encoding).toBe('UCS-2');
  expect(view.culprits).toEqual([{ character: '’', position: 14, locale: 'de' }]);
  expect(view.warnings).toEqual([expect.objectContaining({ code: 'names_cost_more' })]);
});

test('the hash tells audiences apart and does not depend on how they are asked for', async () => {
  const ctx = await newTenant();
  const a = await createRecipient(ctx, { externalId: 'a', tags: ['x'] });
  const b = await createRecipient(ctx, { externalId: 'b', tags: ['x', 'y'] });
  const hash = async (audience: object) => (await preview(ctx, { audience })).hash;
  expect(await hash({ ids: [b.id, a.id] })).toBe(await hash({ tags: ['x'] }));
  expect(await hash({ tags: ['y'] })).not.toBe(await hash({ tags: ['x'] }));
  await expect(preview(ctx, { audience: { or: [{ all: true }, { not: { ids: [a.id, 'rcp_no'] } }] } })).rejects.toMatchObject({
    status: 422,
    errors: [{ field: 'audience.or[1].not.ids[1]' }],
  });
});
