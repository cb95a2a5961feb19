/** A request that no client should send, and what must come of it. */
export interface Abuse {
  readonly about: string;
  readonly method: string;
  /** Path from the root of the site. */
  readonly path: string;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  /** The statuses that are right, which are always below 500. */
  readonly statuses: readonly number[];
  /** The request goes without the run's own key. */
  readonly keyless?: boolean;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const message = (change: object): string =>
  JSON.stringify({ class: 'ops', text: { en: 'Never sent' }, audience: { tags: ['nobody-has-this-tag'] }, channels: ['sms'], ...change });

/** A message whose body is wrong in one field, which the answer, a 422, must name. */
const wrong = (about: string, change: object): Abuse => ({
  about,
  method: 'POST',
  path: '/v1/messages',
  body: message(change),
  headers: JSON_TYPE,
  statuses: [422],
});

/** A body that cannot be read at all. */
const broken = (about: string, body: string, statuses: readonly number[] = [400, 422]): Abuse => ({
  about,
  method: 'POST',
  path: '/v1/messages',
  body,
  headers: JSON_TYPE,
  statuses,
});

/** Wrong keys are answered 401 until the address has tried too many, and 429 from then on. */
const badKey = (about: string, authorization: string | undefined): Abuse => ({
  about,
  method: 'GET',
  path: '/v1/messages',
  headers: authorization === undefined ? {} : { Authorization: authorization },
  statuses: [401, 429],
  keyless: true,
});

const get = (about: string, path: string, statuses: readonly number[]): Abuse => ({ about, method: 'GET', path, statuses });

const deep = (levels: number): string => `${'{"not":'.repeat(levels)}{"all":true}${'}'.repeat(levels)}`;

const FIELDS: readonly Abuse[] = [
  wrong('an unknown field', { colour: 'red' }),
  wrong('an unknown field deep inside', { audience: { near: { lat: 1, lon: 2, km: 3, miles: 4 } } }),
  wrong('an unknown class', { class: 'urgent' }),
  wrong('an empty text', { text: { en: '' } }),
  wrong('a text in no language', { text: {} }),
  wrong('a text in a language that is none', { text: { 'x-': 'Hello' } }),
  wrong('a text of 10,000 characters', { text: { en: 'a'.repeat(10_000) } }),
  wrong('a NUL in the text', { text: { en: 'a\u0000b' } }),
  wrong('a NUL in the title', { title: 'a\u0000b' }),
  wrong('half a character in the text', { text: { en: 'a\ud800b' } }),
  wrong('a NUL in a tag', { audience: { tags: ['a\u0000b'] } }),
  wrong('half a character in a tag', { audience: { tags: ['a\ud800b'] } }),
  wrong('a NUL in the label of an answer', { answers: [{ key: 'a', label: 'x\u0000' }] }),
  wrong('no channel', { channels: [] }),
  wrong('a channel twice', { channels: ['sms', 'sms'] }),
  wrong('ten answers', { answers: Array.from({ length: 10 }, (_, i) => ({ key: `k${i}`, label: 'x' })) }),
  wrong('two answers with one key', {
    answers: [
      { key: 'a', label: 'x' },
      { key: 'a', label: 'y' },
    ],
  }),
  wrong('a time that is none', { expiresAt: 'tomorrow' }),
  wrong('a latitude of 91', { audience: { near: { lat: 91, lon: 0, km: 1 } } }),
  wrong('a polygon of two points', {
    audience: {
      within: {
        type: 'Polygon',
        coordinates: [
          [
            [0, 0],
            [1, 1],
          ],
        ],
      },
    },
  }),
  wrong('an id of a stranger', { audience: { ids: ['rcp_AAAAAAAAAAAAAAAAAAAAAA'] } }),
  wrong('a list where an object belongs', { audience: [] }),
  wrong('a number where a text belongs', { text: { en: 12 } }),
  wrong('a launch with an audience that has changed', { audienceHash: 'x'.repeat(65), launch: true }),
];

const BODIES: readonly Abuse[] = [
  broken('half a JSON', '{"class": "ops", "text": {'),
  broken('no JSON', 'class=ops&text=Hello'),
  broken('nothing', ''),
  broken('null', 'null'),
  broken('a list', '[]'),
  broken('a trailing comma', '{"class":"ops",}'),
  broken('an audience 20,000 levels deep', message({}).replace(/"audience":\{[^}]*\}/, `"audience":${deep(20_000)}`)),
  broken('its own prototype', '{"__proto__":{"class":"ops"},"constructor":{"prototype":{"launch":true}}}'),
  broken('a body of more than a megabyte', JSON.stringify({ text: 'x'.repeat(1_100_000) }), [413]),
  { about: 'text/plain', method: 'POST', path: '/v1/messages', body: message({}), headers: { 'Content-Type': 'text/plain' }, statuses: [415, 422, 400] },
  { about: 'CAP as JSON', method: 'POST', path: '/v1/cap', body: '{}', headers: JSON_TYPE, statuses: [415] },
  { about: 'CAP that is no XML', method: 'POST', path: '/v1/cap', body: '<alert', headers: { 'Content-Type': 'application/cap+xml' }, statuses: [400] },
  {
    about: 'CAP with an entity bomb',
    method: 'POST',
    path: '/v1/cap',
    body: '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;&b;">]><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">&c;</alert>',
    headers: { 'Content-Type': 'application/cap+xml' },
    statuses: [400],
  },
  { about: 'an import as JSON', method: 'POST', path: '/v1/recipients/import', body: '[]', headers: JSON_TYPE, statuses: [415] },
  {
    about: 'an import without a known column',
    method: 'POST',
    path: '/v1/recipients/import',
    body: 'a,b\r\n1,2\r\n',
    headers: { 'Content-Type': 'text/csv' },
    statuses: [400, 422],
  },
  {
    about: 'a person with a NUL in the name',
    method: 'POST',
    path: '/v1/recipients',
    body: '{"name":"a\\u0000b","email":"nul@load.muster.example"}',
    headers: JSON_TYPE,
    statuses: [422],
  },
  {
    about: 'a key of idempotency that is too long',
    method: 'POST',
    path: '/v1/messages',
    body: message({}),
    headers: { ...JSON_TYPE, 'Idempotency-Key': 'x'.repeat(5_000) },
    statuses: [400, 422],
  },
];

const ADDRESSES: readonly Abuse[] = [
  get('a message that is not there', '/v1/messages/msg_AAAAAAAAAAAAAAAAAAAAAA', [404]),
  get('a message id that is none', '/v1/messages/1%20OR%201=1', [404, 422]),
  get('a person id that is none', '/v1/recipients/%00', [400, 404, 422]),
  get('a cursor that is made up', '/v1/messages?cursor=AAAA', [400, 422]),
  get('a limit of a million', '/v1/messages?limit=1000000', [422]),
  get('an unknown parameter', '/v1/messages?colour=red', [422]),
  get('a NUL in a search', '/v1/recipients?q=%00', [400, 422]),
  get('a NUL as a tag', '/v1/recipients?tag=%00', [400, 422]),
  get('a NUL as a skill', '/v1/recipients?skill=a%00b', [400, 422]),
  get('an address that is none', '/v1/nothing', [404]),
  get('a climb out of the folder', '/v1/..%2f..%2fetc%2fpasswd', [404]),
  { about: 'a method that is not taken', method: 'PUT', path: '/v1/messages', body: '{}', headers: JSON_TYPE, statuses: [405] },
  { about: 'a launch of nothing', method: 'POST', path: '/v1/messages/msg_AAAAAAAAAAAAAAAAAAAAAA/launch', statuses: [404] },
];

const KEYS: readonly Abuse[] = [
  badKey('no key', undefined),
  badKey('a wrong key', `Bearer mu_test_${'A'.repeat(43)}`),
  badKey('a key that is none', 'Bearer nothing'),
  badKey('another scheme', 'Basic YTpi'),
  badKey('a very long key', `Bearer mu_live_${'A'.repeat(4_000)}`),
];

export const ABUSES: readonly Abuse[] = [...FIELDS, ...BODIES, ...ADDRESSES, ...KEYS];
