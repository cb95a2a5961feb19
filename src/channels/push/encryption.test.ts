import { createECDH, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { decryptPush } from '#simulator/push/decrypt.ts';
import type { Recipient } from './encrypt.ts';
import { Encryption } from './encryption.ts';

let encryption: Encryption;
afterEach(() => encryption.close());

interface Subscriber {
  readonly recipient: Recipient;
  read(body: Buffer | undefined): string | undefined;
}

function subscriber(): Subscriber {
  const ecdh = createECDH('prime256v1');
  const p256dh = ecdh.generateKeys().toString('base64url');
  const auth = randomBytes(16);
  return { recipient: { p256dh, auth: auth.toString('base64url') }, read: (body) => body && decryptPush(body, { ecdh, auth }).toString() };
}

const spoiled: Recipient = { p256dh: Buffer.alloc(65, 4).toString('base64url'), auth: randomBytes(16).toString('base64url') };

/** `count` people, every tenth with keys that encrypt nothing; what each of them then reads. */
async function crowd(count: number): Promise<(string | undefined)[]> {
  const people = Array.from({ length: count }, subscriber);
  const bodies = await Promise.all(people.map(({ recipient }, i) => encryption.encrypt(Buffer.from(`to ${i}`), i % 10 === 9 ? spoiled : recipient)));
  return people.map((one, i) => one.read(bodies[i]));
}

const meant = (count: number): (string | undefined)[] => Array.from({ length: count }, (_, i) => (i % 10 === 9 ? undefined : `to ${i}`));

test('a few are encrypted in place, a crowd on threads, each for the right person', async () => {
  encryption = new Encryption(2);
  expect(await crowd(5)).toEqual(meant(5));
  expect(encryption.size).toBe(0);
  expect(await crowd(300)).toEqual(meant(300));
  expect(encryption.size).toBe(2);
  expect(await crowd(60)).toEqual(meant(60));
});

test('what threads had when they ended is encrypted all the same', async () => {
  encryption = new Encryption(2);
  const bodies = crowd(200);
  await expect.poll(() => encryption.size).toBe(2);
  await encryption.close();
  expect(await bodies).toEqual(meant(200));
  expect(await crowd(20)).toEqual(meant(20));
  expect(encryption.size).toBe(0);
});

test('without threads everything is encrypted in place', async () => {
  encryption = new Encryption(0);
  expect(await crowd(100)).toEqual(meant(100));
});

/** Niceness of each thread of this process: field 19 of its stat, proc_pid_stat(5). */
const niceness = (): number[] =>
  readdirSync('/proc/self/task').map((tid) => {
    const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });

test.runIf(process.platform === 'linux')('its threads let others go first, and no other thread does', async () => {
  const before = niceness().filter((nice) => nice === 7).length;
  encryption = new Encryption(2, 7);
  await crowd(300);
  expect(niceness().filter((nice) => nice === 7)).toHaveLength(before + 2);
});
