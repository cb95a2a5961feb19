import { afterAll, beforeAll, expect, test } from 'vitest';
import twilio from 'twilio';
import { hooksOf, installChannels } from '#channels/registry.ts';
import { createApp } from '#http/app.ts';
import { packRef } from '#domain/delivery/refs.ts';
import { messageInputSchema } from '#schemas/message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { messageIdOf } from '#services/message-row.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

const ACCOUNT = `AC${'0'.repeat(32)}`;
const TOKEN = 'twilio-token';
const OLD_TOKEN = 'twilio-token-of-yesterday';
const SECOND = `AC${'2'.repeat(32)}`;
const SECOND_TOKEN = 'token of the second account';
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let tenantId: number;
let messageId: string;
const recipients: string[] = [];

beforeAll(async () => {
  deps = await createTestDeps({
    TWILIO_ACCOUNT_SID: ACCOUNT,
    TWILIO_AUTH_TOKEN: `${TOKEN},${OLD_TOKEN}`,
    TWILIO_2_ACCOUNT_SID: SECOND,
    TWILIO_2_AUTH_TOKEN: SECOND_TOKEN,
    PUBLIC_URL: 'https://muster.example',
  });
  app = createApp(deps, { hooks: hooksOf(await installChannels(deps.config)) });
  ({ tenantId } = await deps.tenant());
  const ctx = deps.as(tenantId);
  const { id: publicId } = await createMessage(
    ctx,
    messageInputSchema.parse({ class: 'ops', text: { en: 'Come' }, audience: { all: true }, channels: ['sms'] }),
  );
  messageId = messageIdOf(ctx, publicId);
  await deps.db.withTenant(tenantId, async (tx) => {
    for (let i = 0; i < 200; i++) {
      const { id } = await tx
        .insertInto('recipients')
        .values({ tenant_id: tenantId, phone: `+1555010${1000 + i}` })
        .returning('id')
        .executeTakeFirstOrThrow();
      recipients.push(id);
      await tx
        .insertInto('deliveries')
        .values({ tenant_id: tenantId, message_id: messageId, recipient_id: id, channel: 'sms', wave: 0, state: 'attempting', attempts: 1 })
        .execute();
    }
    await tx
      .insertInto('delivery_counts')
      .values({ tenant_id: tenantId, message_id: messageId, wave: 0, channel: 'sms', slot: 0, attempting: '200' })
      .execute();
  });
});
afterAll(() => deps.close());

interface Change {
  path?: string;
  signedUrl?: string;
  params?: Record<string, string>;
  signature?: string;
  token?: string;
}

function callback(recipientId: string, status: string, change: Change = {}): Promise<Response> {
  const ref = deps.tokens.seal('receipt', packRef({ messageId, recipientId, channel: 'sms', wave: 0 }));
  const path = change.path ?? `/hooks/twilio/status/${ref}`;
  const params = { AccountSid: ACCOUNT, MessageSid: `SM${recipientId.padStart(32, '0')}`, MessageStatus: status, ...change.params };
  const signature = change.signature ?? twilio.getExpectedTwilioSignature(change.token ?? TOKEN, change.signedUrl ?? `https://muster.example${path}`, params);
  return Promise.resolve(
    app.request(path, {
      method: 'POST',
      body: new URLSearchParams(params).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature, host: 'evil.example' },
    }),
  );
}
const stateOf = async (recipientId: string) =>
  (
    await deps.db.withTenant(tenantId, (tx) =>
      tx.selectFrom('deliveries').select(['state', 'provider_id']).where('recipient_id', '=', recipientId).executeTakeFirstOrThrow(),
    )
  ).state;

test('a signed receipt is committed when 204 is answered, in any order and repeatedly', async () => {
  const [one = '', two = ''] = recipients;
  expect((await callback(one, 'delivered')).status).toBe(204);
  expect(await stateOf(one)).toBe('delivered');
  for (const late of ['sent', 'queued', 'delivered', 'undelivered']) expect((await callback(one, late)).status).toBe(204);
  expect(await stateOf(one)).toBe('delivered');
  expect((await callback(two, 'undelivered', { params: { ErrorCode: '30003' } })).status).toBe(204);
  expect(await stateOf(two)).toBe('failed');
});

test('either account is believed under its own tokens, the one being replaced too; neither under the other one', async () => {
  const [one = ''] = recipients;
  const signed = async (AccountSid: string, token: string) => (await callback(one, 'sent', { params: { AccountSid }, token })).status;
  expect(await signed(ACCOUNT, OLD_TOKEN)).toBe(204);
  expect(await signed(SECOND, SECOND_TOKEN)).toBe(204);
  for (const [account, token] of [
    [ACCOUNT, SECOND_TOKEN],
    [SECOND, TOKEN],
    [SECOND, OLD_TOKEN],
    [ACCOUNT, 'guess'],
  ] as const)
    expect(await signed(account, token)).toBe(403);
});

test('a burst is written in groups, and every 204 is true', async () => {
  const burst = recipients.slice(2);
  const answers = await Promise.all(burst.map((id) => callback(id, 'delivered')));
  expect(new Set(answers.map((r) => r.status))).toEqual(new Set([204]));
  const rows = await deps.db.withTenant(tenantId, (tx) =>
    tx
      .selectFrom('deliveries')
      .select(['state', (eb) => eb.fn.countAll<string>().as('n')])
      .groupBy('state')
      .execute(),
  );
  expect(rows.find((row) => row.state === 'delivered')?.n).toBe('199');
});

test('forged ones are 403: no signature, another URL, another account, changed fields', async () => {
  const [one = ''] = recipients;
  const forged = await Promise.all([
    callback(one, 'failed', { signature: '' }),
    callback(one, 'failed', { signature: Buffer.alloc(20, 1).toString('base64') }),
    callback(one, 'failed', { signedUrl: 'https://evil.example/hooks/twilio/status/x' }),
    callback(one, 'failed', { params: { AccountSid: `AC${'1'.repeat(32)}` } }),
  ]);
  expect(forged.map((r) => r.status)).toEqual([403, 403, 403, 403]);
});

test('a reference that names no delivery of ours is 404', async () => {
  const [one = ''] = recipients;
  const unknownMessage = deps.tokens.seal('receipt', packRef({ messageId: '999999', recipientId: one, channel: 'sms', wave: 0 }));
  const otherPurpose = deps.tokens.seal('answer', { a: Number(messageId), b: Number(one), extra: 0 });
  for (const ref of [unknownMessage, otherPurpose, 'nonsense'])
    expect((await callback(one, 'failed', { path: `/hooks/twilio/status/${ref}` })).status).toBe(404);
  expect(await stateOf(one)).toBe('delivered');
});
