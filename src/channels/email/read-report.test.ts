import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DSN_SAMPLES } from '#testing/bounces/dsn-samples.ts';
import { PLAIN_SAMPLES } from '#testing/bounces/plain-samples.ts';
import { readReport } from './read-report.ts';
import type { Report } from './report.ts';

const ALL = { ...DSN_SAMPLES, ...PLAIN_SAMPLES };

const said = ({ kind, code, mailboxGone, permanent }: Report): string =>
  [kind, kind === 'failed' || kind === 'delayed' ? code : null, mailboxGone && 'gone', kind === 'failed' && !permanent && 'passing'].filter(Boolean).join(' ');

describe.each(Object.entries(ALL))('%s', (_group, samples) => {
  test.each(samples)('$name', async ({ mail, expects }) => {
    const { report } = await readReport(Buffer.from(mail));
    expect(said(report)).toBe(expects);
  });
});

test('the table holds what it is meant to', () => {
  const samples = Object.values(ALL).flat();
  expect(samples.length).toBeGreaterThanOrEqual(110);
  expect(new Set(samples.map(({ mail }) => mail)).size).toBe(samples.length);
});

/** Everybody who has had a mail knows its return path: what comes there may be made to keep us busy. */
test.each([
  ['line ends', '\n'.repeat(900_000)],
  ['blanks', ' '.repeat(900_000)],
  ['dashes and blanks', '- '.repeat(450_000)],
  ['words that begin a reason', 'user '.repeat(180_000)],
  ['points', 'user.'.repeat(180_000)],
  ['pages that never end', '<style '.repeat(120_000), 'Content-Type: text/html'],
  ['tags that never end', '<a '.repeat(300_000), 'Content-Type: text/html'],
  ['fields that are none', 'a-'.repeat(450_000), 'Content-Type: message/delivery-status'],
  ['blank lines among fields', 'Action: failed\n \t\n'.repeat(50_000), 'Content-Type: message/delivery-status'],
  ['one field, folded', `Action: a\n${' \n'.repeat(400_000)}`, 'Content-Type: message/delivery-status'],
])('a megabyte of %s takes no time', async (_name, body, type = 'Content-Type: text/plain') => {
  const began = performance.now();
  await readReport(Buffer.from(`From: mailer-daemon@example.net\r\nSubject: failure notice\r\nMIME-Version: 1.0\r\n${type}\r\n\r\n${body}`));
  expect(performance.now() - began).toBeLessThan(2_000);
});

const CASES = resolve(import.meta.dirname, '../../../../shared/data/cases');
test.skipIf(!existsSync(CASES))(`real ones in ${CASES} are read, all of them (left out where that folder is not)`, async () => {
  const files = readdirSync(CASES).filter((file) => /^bounce-.*\.eml$/.test(file));
  const read = await Promise.all(files.map(async (file) => [file, said((await readReport(readFileSync(resolve(CASES, file)))).report)] as const));
  expect(Object.fromEntries(read)).toMatchObject({ 'bounce-expired-4xx.eml': 'failed 4.4.1 passing', 'bounce-qmail.eml': 'failed 5.1.1 gone' });
  expect(read.filter(([, what]) => !what.startsWith('failed'))).toEqual([]);
});
