import { createTransport } from 'nodemailer';
import { afterEach, expect, test } from 'vitest';
import webPush from 'web-push';
import type { BehaviourChange } from '#simulator/control.ts';
import { type RecordingSite, recordingSite, startTestSimulator, type TestSimulator, type Visit } from '#testing/simulator.ts';
import { chooseAnswer } from './choose.ts';
import { formsIn, joinTextIn, linksIn } from './page-forms.ts';

const VAPID = webPush.generateVAPIDKeys();
const NUMBER = '+15005550006';
let simulator: TestSimulator;
let site: RecordingSite;

/** Pages of the same build as Muster's: answer, share, join, confirm and unsubscribe. */
function pages({ method, path, headers }: Visit): { status?: number; body?: string } {
  const [, kind = '', token = ''] = path.split('/');
  if (headers.accept === 'application/json') return { body: '{"nonce":"json-nonce"}' };
  if (method !== 'GET') return { body: '<p>Thank you</p>' };
  if (kind === 'r')
    return {
      body: `<form method="post"><input type="hidden" name="nonce" value="n-${token}"><input name="note" value=""><button name="answer" value="yes">Yes</button><button name="answer" value="no">No</button></form><a href="/s/share-${token}">Pass it on</a>`,
    };
  if (path.startsWith('/s/confirm/')) return { body: '<form method="post"><input type=hidden name=nonce value=c><button>Confirm</button></form>' };
  if (kind === 's')
    return {
      body: `<main data-share="/s/${token}" data-nonce="look" data-vapid="${VAPID.publicKey}"><p>Text <b data-join-text>JOIN k7x2</b> to <b data-join-number>+1 500 555 0006</b></p><form method="post" action="/s/${token}/join"><input type="hidden" name="nonce" value="j"><input type="hidden" name="channel" value="email"><input type="email" name="email" required><button>Join</button></form></main>`,
    };
  if (kind === 'u') return { body: '<form method="post"><button name="confirm" value="1">Stop these messages</button></form>' };
  return { status: 404 };
}

async function start(crowd: BehaviourChange['crowd'], rest: BehaviourChange = {}): Promise<void> {
  site = await recordingSite(pages);
  const delay = { medianSeconds: 0, spread: 0, maxSeconds: 1 };
  simulator = await startTestSimulator({ publicUrl: site.url, behaviour: { ...rest, crowd: { delay, ...crowd } } });
}

afterEach(async () => {
  await simulator.close();
  await site.close();
});

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `+1202555${String(i).padStart(4, '0')}`);
const sendTo = (to: readonly string[]): Promise<unknown> =>
  Promise.all(to.map((To) => simulator.postSms({ To, From: NUMBER, Body: `Flood. Reply 1 Yes, 2 No or open ${site.url}/r/t${To.slice(-4)}.` })));
/** A notification as Muster's payloads have it, encrypted by the web-push library. */
async function pushLink(link: string): Promise<void> {
  const [subscription] = await simulator.subscriptions(1);
  const actions = [{ action: 'yes', title: 'Yes' }];
  const payload = JSON.stringify({
    web_push: 8030,
    notification: { title: 'Come', navigate: link, actions, data: { link, beacon: `${site.url}/r/beacon/b1` } },
  });
  if (!subscription) throw new Error('no subscription');
  const { headers, body } = webPush.generateRequestDetails(subscription, payload, { vapidDetails: { subject: 'mailto:a@example.org', ...VAPID }, TTL: 60 });
  const sent = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]);
  await fetch(subscription.endpoint, { method: 'POST', headers: sent, body: new Uint8Array(body ?? Buffer.alloc(0)) });
}

const answers = ({ method, path }: Visit): boolean => method === 'POST' && path.startsWith('/r/');
const texts = ({ path }: Visit): boolean => path === '/hooks/twilio/inbound';

test('all answer: each opens the page once, copies its nonce, and presses a button by the weights', async () => {
  await start({ answerShare: 1, choices: { yes: 1, no: 0 } });
  await sendTo(numbers(10));
  const posts = await site.until(10, answers);
  expect(new Set(posts.map(({ path }) => path)).size).toBe(10);
  for (const { path, form } of posts) expect(form).toEqual({ nonce: `n-${path.slice(3)}`, note: '', answer: 'yes' });
});

test('the share and the choices are the same people for the same seed, others for another', async () => {
  const run = async (seed: number): Promise<string[]> => {
    await start({ answerShare: 0.5, choices: { '1': 1, '2': 1 } }, { seed });
    await sendTo(numbers(60));
    await simulator.idle();
    const found = site.visits.filter(answers).map(({ path, form }) => `${path} ${form.answer}`);
    await simulator.close();
    await site.close();
    return found.sort();
  };
  const first = await run(7);
  expect(first.length).toBeGreaterThan(15);
  expect(first.length).toBeLessThan(45);
  expect(new Set(first.map((line) => line.split(' ')[1])).size).toBe(2);
  expect(await run(7)).toEqual(first);
  const other = await run(8);
  expect(other).not.toEqual(first);
  await start({});
});

test('by SMS the key is texted to the number that wrote', async () => {
  await start({ answerShare: 1, bySmsShare: 1, choices: { no: 1 } });
  await sendTo(numbers(3));
  const found = await site.until(3, texts);
  expect(found.map(({ form }) => `${form.From} ${form.To} ${form.Body}`).sort()).toEqual(numbers(3).map((number) => `${number} ${NUMBER} no`));
  await simulator.idle();
  expect(site.visits.filter(answers)).toEqual([]);
});

test('one person who gets the same link by SMS, mail and push answers once; the push is reported', async () => {
  await start({ answerShare: 1 }, { push: { beaconShare: 1 } });
  const link = `${site.url}/r/same`;
  await simulator.postSms({ To: '+12025550123', From: NUMBER, Body: `Come ${link}` });
  await createTransport({ url: simulator.smtpUrl }).sendMail({ from: 'a@example.test', to: 'b@example.org', subject: 'Come', text: `Come ${link}` });
  await pushLink(link);
  await site.until(1, ({ path }) => path === '/r/beacon/b1');
  await site.until(1, answers);
  await simulator.idle();
  expect(site.visits.filter((visit) => answers(visit) && visit.path === '/r/same')).toHaveLength(1);
});

test('a button of the notification answers as the service worker does', async () => {
  await start({ answerShare: 1, byActionShare: 1 });
  await pushLink(`${site.url}/r/tapped`);
  await simulator.idle();
  expect(site.visits.map(({ method, path, form }) => [method, path, form])).toEqual([
    ['GET', '/r/tapped', {}],
    ['POST', '/r/tapped', { answer: 'yes', nonce: 'json-nonce', way: 'push' }],
  ]);
});

test('robots open links and press nothing', async () => {
  await start({}, { robots: { share: 1, withinSeconds: 0 } });
  await sendTo(numbers(5));
  await site.until(10, ({ path }) => path.startsWith('/r/'));
  await simulator.idle();
  const methods = site.visits.map(({ method }) => method);
  expect(methods.filter((method) => method === 'HEAD')).toHaveLength(5);
  expect(methods.filter((method) => method === 'GET')).toHaveLength(5);
  expect(methods).not.toContain('POST');
  simulator.control({ robots: { deep: true } });
  await sendTo(['+12025557777']);
  await site.until(2, ({ path }) => path === '/s/share-t7777');
  await simulator.idle();
  expect(site.visits.map(({ method }) => method)).not.toContain('POST');
});

test('people who share bring guests, who join by mail and confirm, or by text', async () => {
  await start({ answerShare: 1, shareShare: 1, visitsPerShare: 1, joinShare: 1 });
  await sendTo(numbers(1));
  const [join] = await site.until(1, ({ path }) => path.endsWith('/join'));
  expect(join).toMatchObject({
    path: '/s/share-t0000/join',
    form: { nonce: 'j', channel: 'email', email: expect.stringMatching(/^guest-.+@crowd\.example$/) },
  });
  const email = join?.form.email ?? '';
  await createTransport({ url: simulator.smtpUrl }).sendMail({
    from: 'a@example.test',
    to: email,
    subject: 'Confirm',
    text: `Yes, it was me: ${site.url}/s/confirm/c0de`,
  });
  const [confirmed] = await site.until(1, ({ method, path }) => method === 'POST' && path === '/s/confirm/c0de');
  expect(confirmed?.form).toEqual({ nonce: 'c' });
  await site.until(1, ({ method, path }) => method === 'POST' && path === '/s/share-t0000/seen');
  simulator.control({ crowd: { joinBySmsShare: 1 } });
  await sendTo(['+12025559999']);
  const [text] = await site.until(1, texts);
  expect(text?.form).toMatchObject({ To: NUMBER, Body: 'JOIN k7x2', From: expect.stringMatching(/^\+1\d{3}555\d{4}$/) });
  simulator.control({ crowd: { joinByPushShare: 1 } });
  await sendTo(['+12025558888']);
  const [pushed] = await site.until(1, ({ path }) => path === '/s/share-t8888/join');
  expect(JSON.parse(pushed?.body ?? '')).toMatchObject({
    nonce: 'look',
    subscription: { endpoint: expect.stringContaining('/push/'), keys: { auth: expect.any(String) } },
  });
});

test('people who want no more say STOP, or unsubscribe with one click', async () => {
  await start({ stopShare: 1 });
  await sendTo(numbers(1));
  expect((await site.until(1, texts))[0]?.form.Body).toBe('STOP');
  const mail = { from: 'a@example.test', to: 'b@example.org', subject: 'News', text: `News ${site.url}/r/m1` };
  const headers = { 'List-Unsubscribe': `<${site.url}/u/token1>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };
  await createTransport({ url: simulator.smtpUrl }).sendMail({ ...mail, headers });
  const [click] = await site.until(1, ({ path }) => path === '/u/token1');
  expect([click?.method, click?.form]).toEqual(['POST', { 'List-Unsubscribe': 'One-Click' }]);
  await createTransport({ url: simulator.smtpUrl }).sendMail({ ...mail, text: `News ${site.url}/r/m2, stop: ${site.url}/u/token2` });
  const [pressed] = await site.until(1, ({ method, path }) => method === 'POST' && path === '/u/token2');
  expect(pressed?.form).toEqual({ confirm: '1' });
});

test('one address can be told what to do', async () => {
  await start({ answerShare: 1, choices: { yes: 1 } }, { addresses: { '+12025550000': { answer: 'no' }, '+12025550001': { answer: false } } });
  await sendTo(numbers(3));
  await simulator.idle();
  expect(
    site.visits
      .filter(answers)
      .map(({ path, form }) => `${path} ${form.answer}`)
      .sort(),
  ).toEqual(['/r/t0000 no', '/r/t0002 yes']);
});

test('nobody opens a link of another site', () => {
  const text = 'See https://evil.example/r/x and http://muster.example/r/abc. Pass on http://muster.example/s/def, http://muster.example/r/beacon/b';
  expect(linksIn(text, 'http://muster.example')).toMatchObject({
    answer: 'http://muster.example/r/abc',
    share: 'http://muster.example/s/def',
    all: ['http://muster.example/r/abc', 'http://muster.example/s/def'],
  });
});

test('weights by key, by position, and none that fits', () => {
  const count = (weights: Record<string, number>): number[] => {
    const keys = ['a', 'b', 'c'];
    const luck = Array.from({ length: 100 }, (_, i) => chooseAnswer(keys, weights, i / 100));
    return keys.map((key) => luck.filter((one) => one === key).length);
  };
  expect(count({ a: 3, b: 1 })).toEqual([75, 25, 0]);
  expect(count({ '2': 1, '3': 1 })).toEqual([0, 50, 50]);
  expect(count({ z: 5 })).toEqual([34, 33, 33]);
  expect(chooseAnswer([], {}, 0.5)).toBeUndefined();
});

test('forms: hidden fields, defaults, ticked boxes and submit buttons, entities decoded', () => {
  const html = `<!-- <form><input name=no></form> --><form method=POST action="/x?a=1&amp;b=2"><input type=hidden name=nonce value='a&quot;b'><input type="checkbox" name="c" checked><input type="radio" name="r" value="1"><textarea name="note"></textarea><button type="button" name="skip">?</button><button name="answer" value="yes" disabled>Y</button><input type="submit" name="answer" value="no"></form><form></form>`;
  expect(formsIn(html)).toEqual([
    {
      method: 'post',
      action: '/x?a=1&b=2',
      fields: { nonce: 'a"b', c: 'on', note: '' },
      inputs: ['c', 'r', 'note'],
      buttons: [{ name: 'answer', value: 'no' }],
    },
    { method: 'get', action: '', fields: {}, inputs: [], buttons: [] },
  ]);
  expect(joinTextIn('<div data-join-text="JOIN &amp; go"></div><span data-join-number="(500) 5550006">x</span>')).toEqual({
    body: 'JOIN & go',
    to: '5005550006',
  });
  expect(joinTextIn('<p>nothing</p>')).toBeUndefined();
});
