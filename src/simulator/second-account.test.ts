import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { recordingSite, type RecordingSite, startTestSimulator, TEST_ACCOUNT, TEST_TOKEN, type TestSimulator } from '#testing/simulator.ts';
import { twilioSignature } from './hooks.ts';

const SECOND = { accountSid: `AC${'2'.repeat(32)}`, authToken: 'token of the second account' };
const FIRST = { accountSid: TEST_ACCOUNT, authToken: TEST_TOKEN };
let site: RecordingSite;
let simulator: TestSimulator;

beforeAll(async () => {
  site = await recordingSite();
  simulator = await startTestSimulator({ publicUrl: site.url, second: SECOND });
});
beforeEach(() => simulator.reset({ calls: true }));
afterAll(async () => {
  await simulator.close();
  await site.close();
});

const sms = ({ accountSid, authToken }: typeof SECOND, from: string, to: string, login = { accountSid, authToken }) =>
  fetch(`${simulator.url}/2010-04-01/Accounts/${accountSid}/Messages.json`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${login.accountSid}:${login.authToken}`).toString('base64')}` },
    body: new URLSearchParams({ To: to, From: from, Body: 'Come', StatusCallback: `${site.url}/hooks/twilio/status/ref` }),
  });

test('each account answers to its own credentials alone', async () => {
  expect((await sms(FIRST, '+15550001111', '+15550100001')).status).toBe(201);
  expect((await sms(SECOND, '+15550002222', '+15550100002')).status).toBe(201);
  expect((await sms(SECOND, '+15550002222', '+15550100003', FIRST)).status).toBe(404);
  expect((await sms(SECOND, '+15550002222', '+15550100003', { ...SECOND, authToken: 'wrong' })).status).toBe(401);
});

test('one is ill while the other is well, by SMS and by mail', async () => {
  simulator.control({ sms: { errorShare: 1 }, second: { email: { refusedShare: 1 } } });
  expect((await sms(FIRST, '+15550001111', '+15550100001')).status).toBe(503);
  expect((await sms(SECOND, '+15550002222', '+15550100002')).status).toBe(201);
  const mail = (url: string | undefined) =>
    createTransport({ url: url ?? '' }).sendMail({ from: 'a@example.test', to: 'b@example.org', subject: 'Come', text: 'Come' });
  await mail(simulator.smtpUrl);
  await expect(mail(simulator.smtpUrl2)).rejects.toThrow('550 5.1.1');
  simulator.control({ sms: { errorShare: 0 }, second: { sms: { perSecond: 1 } } });
  expect((await sms(FIRST, '+15550001111', '+15550100004')).status).toBe(201);
  await sms(SECOND, '+15550002222', '+15550100005');
  expect((await sms(SECOND, '+15550002222', '+15550100006')).status).toBe(429);
  const { items } = await simulator.calls();
  expect(items.map(({ channel, account, outcome }) => [channel, account ?? 1, outcome])).toEqual([
    ['sms', 1, 'error'],
    ['sms', 2, 'accepted'],
    ['email', 1, 'accepted'],
    ['email', 2, 'refused'],
    ['sms', 1, 'accepted'],
    ['sms', 2, 'accepted'],
    ['sms', 2, 'throttled'],
  ]);
});

test('receipts and texts name the account that they belong to and carry its signature', async () => {
  const [to, number] = ['+15550100099', '+15550002222'];
  await sms(SECOND, number, to);
  await simulator.text({ from: to, to: number, body: 'YES' });
  const visits = await site.until(3, ({ form }) => form['To'] === to || form['From'] === to);
  for (const { path, form, headers } of visits) {
    expect(form['AccountSid']).toBe(SECOND.accountSid);
    expect(headers['x-twilio-signature']).toBe(twilioSignature(SECOND.authToken, `${site.url}${path}`, form));
  }
  expect(new Set(visits.map(({ form }) => form['MessageStatus'] ?? form['Body']))).toEqual(new Set(['sent', 'delivered', 'YES']));
});
