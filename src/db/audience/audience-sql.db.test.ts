import { booleanPointInPolygon } from '@turf/boolean-point-in-polygon';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boxAround, distanceKm } from '#domain/geo.ts';
import { type Audience, audienceSchema, type Polygon } from '#schemas/audience.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { audienceCondition, consentSql, countAndHash } from './audience-sql.ts';

interface Someone {
  id: string;
  tags: string[];
  skills: string[];
  lat: number | null;
  lon: number | null;
}

let deps: TestDeps;
let tenantId: number;
let everyone: Someone[];

const WORDS = ['a', 'b', 'c', 'x y', "o'hara", '{', 'ü'];
/** A generator with a fixed seed gives the same people in every run. */
function* numbers(): Generator<number> {
  for (let n = 12_345; ; n = (n * 48_271) % 2_147_483_647) yield n / 2_147_483_647;
}

beforeAll(async () => {
  deps = await createTestDeps();
  tenantId = (await deps.tenant()).tenantId;
  const other = (await deps.tenant()).tenantId;
  const random = numbers();
  const next = () => random.next().value as number;
  const some = () => WORDS.filter(() => next() < 0.25);
  const places: [number | null, number | null][] = [
    [null, null],
    [90, 0],
    [-90, 10],
    [0, 180],
    [0, -180],
    [51.5, 179.9],
    [51.5, -179.9],
    [0, 0],
  ];
  for (let i = 0; i < 400; i++) places.push(i % 8 === 0 ? [null, null] : [next() * 180 - 90, next() * 360 - 180]);
  const rows = places.map(([lat, lon]) => ({ lat, lon, tags: some(), skills: some() }));
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .insertInto('recipients')
      .values(rows.map((row) => ({ ...row, tenant_id: tenantId })))
      .execute(),
  );
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .insertInto('recipients')
      .values({ tenant_id: tenantId, tags: WORDS, skills: WORDS, lat: 0, lon: 0, erased_at: sql`now()` })
      .execute(),
  );
  await deps.db.withTenant(other, (tx) => tx.insertInto('recipients').values({ tenant_id: other, tags: WORDS, lat: 1, lon: 1 }).execute());
  everyone = await deps.db.withTenant(tenantId, (tx) =>
    tx.selectFrom('recipients').select(['id', 'tags', 'skills', 'lat', 'lon']).where('erased_at', 'is', null).orderBy('id').execute(),
  );
});
afterAll(() => deps.close());

const encode = (id: string): string => deps.ids.encode('rcp', id);
const decode = (id: string): string | undefined => deps.ids.decode('rcp', id);

async function bySql(audience: Audience): Promise<string[]> {
  const { rows } = await deps.db.withTenant(tenantId, (tx) =>
    sql<{ id: string }>`
      SELECT r.id
      FROM recipients r
      WHERE r.tenant_id = ${tenantId}
        AND r.erased_at IS NULL
        AND ${audienceCondition(audience, decode)}
      ORDER BY r.id`.execute(tx),
  );
  return rows.map((row) => row.id);
}

/** Reads the expression as it is described, for one person at a time. */
function matches(audience: Audience, who: Someone): boolean {
  if ('all' in audience) return true;
  if ('tags' in audience) return audience.tags.some((tag) => who.tags.includes(tag));
  if ('skills' in audience) return audience.skills.some((skill) => who.skills.includes(skill));
  if ('ids' in audience) return audience.ids.some((id) => decode(id) === who.id);
  if ('and' in audience) return audience.and.every((one) => matches(one, who));
  if ('or' in audience) return audience.or.some((one) => matches(one, who));
  if ('not' in audience) return !matches(audience.not, who);
  if (who.lat === null || who.lon === null) return false;
  if ('near' in audience) return distanceKm(audience.near, { lat: who.lat, lon: who.lon }) <= audience.near.km;
  return booleanPointInPolygon([who.lon, who.lat], audience.within);
}

const rectangle = (west: number, south: number, width: number, height: number): [number, number][] => [
  [west, south],
  [west + width, south],
  [west + width, south + height],
  [west, south + height],
  [west, south],
];

/** A triangle, or a rectangle with up to two holes. The numbers are irregular, so that nobody stands on a border. */
const polygon: fc.Arbitrary<Polygon> = fc
  .record({
    west: fc.integer({ min: -179, max: 60 }),
    south: fc.integer({ min: -89, max: 20 }),
    width: fc.integer({ min: 9, max: 110 }),
    height: fc.integer({ min: 9, max: 60 }),
    holes: fc.integer({ min: -1, max: 2 }),
  })
  .map(({ west, south, width, height, holes }) => {
    const [w, s] = [west + 0.013, south + 0.017];
    if (holes < 0)
      return {
        type: 'Polygon',
        coordinates: [
          [
            [w, s],
            [w + width, s],
            [w + width / 3, s + height],
            [w, s],
          ],
        ],
      };
    const hole = (i: number) => rectangle(w + width * (0.1 + 0.45 * i), s + height * 0.2, width * 0.35, height * 0.5);
    return { type: 'Polygon', coordinates: [rectangle(w, s, width, height), ...Array.from({ length: holes }, (_, i) => hole(i))] };
  });

const { audience } = fc.letrec<{ audience: Audience; leaf: Audience }>((tie) => ({
  leaf: fc.oneof(
    fc.constant<Audience>({ all: true }),
    fc.subarray(WORDS, { minLength: 1 }).map((tags) => ({ tags })),
    fc.subarray(WORDS, { minLength: 1 }).map((skills) => ({ skills })),
    fc
      .array(fc.integer({ min: 1, max: 450 }), { minLength: 1, maxLength: 30 })
      .map((ids) => ({ ids: ids.map((id) => encode(String(id))) })),
    polygon.map((within) => ({ within })),
    fc
      .record({
        lat: fc.double({ min: -90, max: 90, noNaN: true }),
        lon: fc.double({ min: -180, max: 180, noNaN: true }),
        km: fc.double({ min: 1, max: 20_000, noNaN: true }),
      })
      .map((near) => ({ near })),
  ),
  audience: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('audience'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('audience'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
    tie('audience').map((not) => ({ not })),
  ),
}));

describe('audience expressions', () => {
  test('select the same people as a reading of the expression one person at a time', async () => {
    await fc.assert(
      fc.asyncProperty(audience, async (expression) => {
        expect(audienceSchema.safeParse(expression).success).toBe(true);
        expect(await bySql(expression)).toEqual(everyone.filter((who) => matches(expression, who)).map((who) => who.id));
      }),
      { numRuns: 150 },
    );
  });

  test('near is a circle over the date line and over the pole', async () => {
    const found = async (near: { lat: number; lon: number; km: number }) =>
      (await bySql({ near })).map((id) => everyone.find((who) => who.id === id)).map((who) => [who?.lat, who?.lon]);
    const overDateLine = await found({ lat: 51.5, lon: 180, km: 8 });
    expect(overDateLine).toEqual([
      [51.5, 179.9],
      [51.5, -179.9],
    ]);
    expect(await found({ lat: 0, lon: -179.99, km: 5 })).toEqual([
      [0, 180],
      [0, -180],
    ]);
    expect(await found({ lat: 89.9, lon: 77, km: 20 })).toEqual([[90, 0]]);
  });

  test('nobody without a place is inside an area, so they are all outside it', async () => {
    const nowhere = everyone.filter((who) => who.lat === null).map((who) => who.id);
    const outside = await bySql({ not: { within: { type: 'Polygon', coordinates: [rectangle(-180, -90, 360, 180)] } } });
    expect(outside).toEqual(nowhere);
  });

  test('an id that was never given out matches nobody, and values are never read as SQL', async () => {
    expect(await bySql({ ids: ['rcp_0', "'; DROP TABLE recipients; --"] })).toEqual([]);
    expect(await bySql({ tags: ["') OR true --"] })).toEqual([]);
  });
});

test('count, hash and highest id leave out the erased and other tenants, and the hash depends on the people alone', async () => {
  const count = (expression: Audience) =>
    deps.db.withTenant(tenantId, (tx) => countAndHash(tx, tenantId, audienceCondition(expression, decode)));
  const all = await count({ all: true });
  expect(all).toMatchObject({ count: everyone.length, maxId: everyone.at(-1)?.id });
  expect(await count({ ids: everyone.map((who) => encode(who.id)).reverse() })).toEqual(all);
  expect((await count({ ids: everyone.slice(1).map((who) => encode(who.id)) })).hash).not.toBe(all.hash);
  expect(await count({ not: { all: true } })).toEqual({ count: 0, hash: '0', maxId: '0' });
});

test('consent: life always, ops unless refused, bulk only when agreed', async () => {
  const ask = async (consent: string | null, messageClass: 'life' | 'ops' | 'bulk') => {
    const { rows } = await deps.db.withTenant(tenantId, (tx) =>
      sql<{ ok: boolean }>`SELECT ${consentSql(messageClass)} AS ok FROM (SELECT ${consent}::message_class[] AS consent) r`.execute(tx),
    );
    return rows[0]?.ok;
  };
  const table = { null: [true, true, false], '{}': [true, false, false], '{bulk}': [true, false, true], '{life,ops}': [true, true, false] };
  for (const [consent, expected] of Object.entries(table))
    for (const [i, messageClass] of (['life', 'ops', 'bulk'] as const).entries())
      expect([consent, messageClass, await ask(consent === 'null' ? null : consent, messageClass)]).toEqual([
        consent,
        messageClass,
        expected[i],
      ]);
});

test('the box around a circle holds every point of it', () => {
  fc.assert(
    fc.property(
      fc.record({ lat: fc.double({ min: -90, max: 90, noNaN: true }), lon: fc.double({ min: -180, max: 180, noNaN: true }) }),
      fc.record({ lat: fc.double({ min: -90, max: 90, noNaN: true }), lon: fc.double({ min: -180, max: 180, noNaN: true }) }),
      (centre, point) => {
        const box = boxAround(centre, distanceKm(centre, point));
        const inLon =
          box.west <= box.east ? point.lon >= box.west && point.lon <= box.east : point.lon >= box.west || point.lon <= box.east;
        return inLon && point.lat >= box.south && point.lat <= box.north;
      },
    ),
    { numRuns: 2_000 },
  );
});
