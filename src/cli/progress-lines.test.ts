import { expect, test } from 'vitest';
import { DELIVERY_STATES } from '#schemas/delivery.ts';
import type { MessageView, StateCounts } from '#schemas/views.ts';
import { audienceOf, messageOf, textOf, timeOf } from './compose.ts';
import { bar, isOver, plainLine, progressLines, progressOf } from './progress-lines.ts';

const view = (state: MessageView['state'], counts: Partial<StateCounts>, audience = 0): MessageView =>
  ({
    state,
    class: 'life',
    drill: false,
    deliveries: { ...Object.fromEntries(DELIVERY_STATES.map((s) => [s, 0])), ...counts },
    audience: { expression: { all: true }, count: audience, hash: null },
    answers: { yes: 12, none: 0 },
    spread: { shares: 0, visits: 0, joins: 0, generations: 0 },
    forecast: null,
    fact: null,
  }) as unknown as MessageView;

test.each([
  [0, '    '],
  [1, '████'],
  [0.5, '██  '],
  [0.53125, '██▏ '],
  [7, '████'],
  [-1, '    '],
])('a bar of %d is %j', (share, drawn) => expect(bar(share, 4)).toBe(drawn));

test('what is done counts every settled call, of the audience while planning goes on', () => {
  expect(progressOf(view('live', { pending: 5, attempting: 2, accepted: 10, failed: 3 }, 100))).toEqual({ done: 13, total: 100 });
  expect(progressOf(view('live', { accepted: 150 }, 100))).toEqual({ done: 150, total: 150 });
});

test('it is over when nothing more will be called', () => {
  expect(isOver(view('live', { accepted: 3 }))).toBe(false);
  expect(isOver(view('stopped', { attempting: 1 }))).toBe(false);
  expect(isOver(view('stopped', { cancelled: 3 }))).toBe(true);
  expect(isOver(view('completed', { delivered: 3 }))).toBe(true);
});

test('lines fit the terminal, and the plain line holds the same numbers', () => {
  const live = view('live', Object.fromEntries(DELIVERY_STATES.map((s) => [s, 1_234_567])));
  for (const columns of [20, 40, 80, 200]) for (const line of progressLines(live, columns)) expect([...line].length).toBeLessThan(columns);
  expect(plainLine(view('live', { accepted: 7, pending: 3 }))).toBe('live 7/10 calls: pending 3  accepted 7 | answers: yes 12');
});

test('forecast and fact stand side by side once a call was made', () => {
  const forecast = {
    seconds: 200,
    perChannel: [
      { channel: 'sms', units: 20_000 },
      { channel: 'email', units: 5 },
    ],
  };
  const fact = { firstCallSeconds: 0.1, seconds: 125.4, perChannel: [{ channel: 'sms', units: 19_990 }] };
  const over = { ...view('completed', { accepted: 7 }), forecast, fact } as unknown as MessageView;
  const said = 'last call after 2 min 5 s, forecast 3 min 20 s; 19,990 SMS segments, forecast 20,000';
  expect(progressLines(over, 200)[3]).toBe(`  pace:    ${said}`);
  expect(plainLine(over)).toContain(` | ${said}`);
  expect(plainLine({ ...over, state: 'live' })).not.toContain('forecast');
  const unpaced = {
    ...over,
    forecast: { seconds: null, perChannel: [{ channel: 'push', units: 7 }] },
    fact: { ...fact, perChannel: [{ channel: 'push', units: 7 }] },
  };
  expect(plainLine(unpaced as unknown as MessageView)).toMatch(/last call after 2 min 5 s, forecast as fast as the carriers take it$/);
});

test('texts, audiences and times are read as people write them', () => {
  expect(textOf({ text: ['Come', 'fr=Venez', 'note: a=b'], locale: 'de' })).toEqual({ de: 'note: a=b', fr: 'Venez' });
  expect(audienceOf({ to: ['all'] })).toEqual({ all: true });
  expect(audienceOf({ to: ['tag:a,b', 'near:1.5,-2,10'] })).toEqual({ and: [{ tags: ['a', 'b'] }, { near: { lat: 1.5, lon: -2, km: 10 } }] });
  expect(timeOf('expires', '90m', 0)).toBe('1970-01-01T01:30:00.000Z');
  expect(() => timeOf('expires', 'soon', 0)).toThrow('--expires soon');
  expect(messageOf({ text: ['Come'], to: ['all'], answer: ['yes=I come', 'no=No'], counts: ['yes'], share: true }, 0)).toEqual({
    class: 'ops',
    text: { en: 'Come' },
    audience: { all: true },
    answers: [
      { key: 'yes', label: 'I come', counts: true },
      { key: 'no', label: 'No' },
    ],
    share: true,
  });
});
