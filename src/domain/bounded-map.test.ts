import { expect, test } from 'vitest';
import { BoundedMap } from './bounded-map.ts';
import { dateFormats } from './date-formats.ts';

test('forgets what was used longest ago, and never holds more than its limit', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  expect(map.get('a')).toBe(1);
  map.set('c', 3);
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([1, undefined, 3, 2]);
  map.set('a', 4);
  map.delete('c');
  expect([map.get('a'), map.get('c'), map.size]).toEqual([4, undefined, 1]);
});

test('a format is made once for a locale and zone, and zones do not mix', () => {
  const format = dateFormats({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  expect(format('en-GB', 'Asia/Tokyo')).toBe(format('en-GB', 'Asia/Tokyo'));
  expect([format('en-GB', 'Asia/Tokyo').format(0), format('en-GB', 'UTC').format(0)]).toEqual(['09:00', '00:00']);
});
