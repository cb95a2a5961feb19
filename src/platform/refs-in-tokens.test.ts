import { expect, test } from 'vitest';
import { packRef, unpackRef } from '#domain/delivery/refs.ts';
import { CHANNELS, factsOf } from '#schemas/channel-facts.ts';
import { type Purpose, Tokens } from './tokens.ts';

const tokens = new Tokens({ keys: [{ id: 'a', secret: Buffer.from('AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', 'base64') }] });
const MESSAGE = '987654321012';
const PERSON = '123456789';

const open = (purpose: Purpose, token: string) => (purpose === 'bounce' ? tokens.openLower(purpose, token) : tokens.open(purpose, token));
const seal = (purpose: Purpose, value: Parameters<Tokens['seal']>[1]) =>
  purpose === 'bounce' ? tokens.sealLower(purpose, value) : tokens.seal(purpose, value);

/** Made by the version that knew no second layout, with this key: such links live 30 days, and bounces come later still. */
const BEFORE = [
  ['receipt', 'push', 0, 'a0sPC36mkWIO1U0tLbaUhhT'],
  ['receipt', 'push', 1000, 'a2zNkBFWmgayIyhhqft9Xqx'],
  ['receipt', 'sms', 0, 'a2Yum7uvlXFpgLiJhb7Yu45'],
  ['receipt', 'sms', 1001, 'a0ezUxlX08Q3zP4u1RH9YCR'],
  ['receipt', 'email', 5, 'a2pJthnqzxFEpkPyKoLZ01f'],
  ['receipt', 'email', 1002, 'a0WUSrn6FRiPD3hmfaTe9EP'],
  ['bounce', 'push', 0, '10316fabf3e82cacba54858d97a1eedc4c'],
  ['bounce', 'push', 1000, '1011a84df3b46c2893ce715ec48eda8b5e'],
  ['bounce', 'sms', 0, '104c917bc5ab84a561ef17ef46dcf9c5e4'],
  ['bounce', 'sms', 1001, '10c3c59aea2c61062ceb4ac5642f88ecd4'],
  ['bounce', 'email', 5, '10c13813f2fb3e3c96b8f4d02787399275'],
  ['bounce', 'email', 1002, '10d3b68d12c2888038d30a3e24d25dfb02'],
  ['beacon', 'push', 0, 'a77g6ZzvYwE3E0PJnT08IgZ'],
  ['beacon', 'push', 1000, 'a3LKrx4myYMIIdrQr9bQi3E'],
  ['beacon', 'sms', 0, 'a2DLIBcNwZstDy00xMs4kgF'],
  ['beacon', 'sms', 1001, 'a5ieSDGgdyCjtWZuLh235yo'],
  ['beacon', 'email', 5, 'a3VD8iMe6HTwmPLZfPiLw1M'],
  ['beacon', 'email', 1002, 'a6c6g2zBtmTfkMTFuOYjR4y'],
  ['unsubscribe', 'push', 0, 'a1hM8zFUqC4zRDLIuubhKLG'],
  ['unsubscribe', 'push', 1000, 'a5yMyyK5Jah7qoV7LWBZoPQ'],
  ['unsubscribe', 'sms', 0, 'a5XRb2RcghcFjsww6Lon0HG'],
  ['unsubscribe', 'sms', 1001, 'a18ETbWcfNeyD5yCKTcP8r4'],
  ['unsubscribe', 'email', 5, 'a1y0De6mnJyqGm000lyySLm'],
  ['unsubscribe', 'email', 1002, 'a1KOpCw81LV1daYqNEIXdo7'],
] as const;

test.each(BEFORE)('a token of the first layout still names its delivery: %s, %s, wave %i', (purpose, channel, wave, token) => {
  const sealed = open(purpose, token);
  expect(sealed && unpackRef(sealed)).toEqual({ messageId: MESSAGE, recipientId: PERSON, channel, wave });
});

test.each(BEFORE)('and the version before opens what is sealed now, since it is the same: %s, %s, wave %i', (purpose, channel, wave, token) => {
  expect(seal(purpose, packRef({ messageId: MESSAGE, recipientId: PERSON, channel, wave }))).toBe(token);
});

test.each([
  ['answer', 'a2uVlNYQzPDW5s0L6qXneb9'],
  ['share', 'a0CsmR4cO8ZwdKbviO4gdOw'],
  ['join', 'a5o45FUaGOXYaO1X6u0v1qx'],
] as const)('links that name no delivery are as they were: %s', (purpose, token) => {
  expect(tokens.open(purpose, token)).toEqual({ a: Number(MESSAGE), b: Number(PERSON), extra: 0 });
});

test.each(['receipt', 'bounce', 'beacon', 'unsubscribe'] as const)('the second layout has room for 16 channels and 4,096 waves: %s', (purpose) => {
  for (const extra of [0, 3 * 4_096, 15 * 4_096 + 4_095]) {
    const value = { a: Number(MESSAGE), b: Number(PERSON), extra, layout: 2 } as const;
    const token = seal(purpose, value);
    expect(open(purpose, token)).toEqual(value);
    for (const other of ['receipt', 'bounce', 'beacon', 'unsubscribe'] as const) if (other !== purpose) expect(open(other, token)).toBeUndefined();
    // The same bits in the first layout are another token, and read otherwise.
    expect(token).not.toBe(seal(purpose, { a: value.a, b: value.b, extra }));
  }
});

test('only purposes that name a delivery have a second layout', () => {
  expect(() => tokens.seal('answer', { a: 1, b: 1, extra: 0, layout: 2 })).toThrow(RangeError);
});

test('each channel has its number for ever, and a token of it names it in either layout', () => {
  expect(Object.fromEntries(CHANNELS.map((channel) => [channel, factsOf(channel).number]))).toMatchObject({ push: 0, sms: 1, email: 2 });
  for (const channel of CHANNELS) {
    const { number } = factsOf(channel);
    expect(unpackRef({ a: 1, b: 2, extra: number * 4_096 + 7, layout: 2 })).toEqual({ messageId: '1', recipientId: '2', channel, wave: 7 });
    expect(unpackRef(packRef({ messageId: '1', recipientId: '2', channel, wave: 7 }))).toMatchObject({ channel, wave: 7 });
  }
  // A channel that this version does not know.
  expect(unpackRef({ a: 1, b: 2, extra: 15 * 4_096, layout: 2 })).toBeUndefined();
  expect(unpackRef({ a: 1, b: 2, extra: 3 * 16_384 })).toBeUndefined();
});

test.each([-1, 4_096, 16_384, Number.NaN])('a wave that no token can name is refused: %d', (wave) => {
  const ref = { messageId: '1', recipientId: '2', channel: 'sms', wave } as const;
  expect(() => packRef(ref)).toThrow(/a token names the waves 0 to 4095/);
  expect(unpackRef(packRef({ ...ref, wave: 4_095 }))).toEqual({ ...ref, wave: 4_095 });
});
