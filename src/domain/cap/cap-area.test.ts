import { describe, expect, it, test } from 'vitest';
import { audienceSchema } from '#schemas/audience.ts';
import type { CapAlert, CapArea } from './cap-alert.ts';
import { capAudience, capShapes, parseCircle, parsePolygon } from './cap-area.ts';

const area = (change: Partial<CapArea>): CapArea => ({ areaDesc: 'Riverside', polygon: [], circle: [], geocode: [], ...change });
const alert = (...infos: Partial<CapArea>[][]): CapAlert => ({ info: infos.map((areas) => ({ area: areas.map(area) })) }) as unknown as CapAlert;
const SQUARE = '38.47,-120.14 38.34,-119.95 38.52,-119.74 38.47,-120.14';

describe('parsePolygon', () => {
  it('turns lat,lon into GeoJSON lon,lat', () => {
    expect(parsePolygon(SQUARE)).toEqual({
      type: 'Polygon',
      coordinates: [
        [
          [-120.14, 38.47],
          [-119.95, 38.34],
          [-119.74, 38.52],
          [-120.14, 38.47],
        ],
      ],
    });
  });

  test.each([
    ['1,2 3,4 1,2', 'at least 4'],
    ['', 'not "lat,lon"'],
    ['1,2 3,4 5,6 7,8', 'not closed'],
    ['1,2 3,4 5,x 1,2', '"5,x"'],
    ['91,0 0,0 1,1 91,0', '"91,0"'],
    ['0,181 0,0 1,1 0,181', '"0,181"'],
    ['1, 2 3,4 5,6 1,2', '"1,"'],
    ['1,2,3 3,4 5,6 1,2,3', '"1,2,3"'],
    ['1e1,2 3,4 5,6 1e1,2', '"1e1,2"'],
    ['Infinity,0 1,1 2,2 Infinity,0', '"Infinity,0"'],
  ])('%j is refused', (text, words) => {
    expect(parsePolygon(text)).toContain(words);
  });
});

test.each([
  ['32.9525,-115.5527 1.5', { lat: 32.9525, lon: -115.5527, km: 1.5 }],
  [' 0,0   0 ', { lat: 0, lon: 0, km: 0 }],
  ['-.5,+1. 10', { lat: -0.5, lon: 1, km: 10 }],
  ['1,2', 'must be "lat,lon km"'],
  ['1,2 -1', 'must be "lat,lon km"'],
  ['1,2 x', 'must be "lat,lon km"'],
  ['1,2 3 4', 'must be "lat,lon km"'],
  ['1,2 99999', 'must be "lat,lon km"'],
])('parseCircle(%j)', (text, expected) => {
  expect(parseCircle(text)).toEqual(expected);
});

describe('capAudience', () => {
  const polygon = parsePolygon(SQUARE);

  it('is any of the shapes, each once over all languages', () => {
    const both = [{ polygon: [SQUARE], circle: ['1,2 3'] }];
    expect(capAudience(alert(both, both)).audience).toEqual({ or: [{ within: polygon }, { near: { lat: 1, lon: 2, km: 3 } }] });
    expect(capAudience(alert([{ polygon: [SQUARE] }])).audience).toEqual({ within: polygon });
  });

  it('is met by tags where there is no shape', () => {
    const codes = [{ geocode: [{ valueName: 'SAME', value: '006037' }] }];
    expect(capAudience(alert(codes)).audience).toEqual({ tags: ['Riverside', 'SAME:006037'] });
    // An earthquake is a point, and a circle of 0 km holds nobody.
    expect(capAudience(alert([{ circle: ['1,2 0'] }])).audience).toEqual({ tags: ['Riverside'] });
  });

  it('is never everybody', () => {
    expect(capAudience(alert())).toEqual({ audience: { not: { all: true } }, errors: [] });
    expect(capAudience(alert([{ areaDesc: '  ' }])).audience).toEqual({ not: { all: true } });
  });

  it('holds more shapes than one "or" takes', () => {
    const circles = Array.from({ length: 120 }, (_, i) => `1,${i} 1`);
    const { audience } = capAudience(alert([{ circle: circles }]));
    expect(audienceSchema.safeParse(audience).success).toBe(true);
    expect(capShapes(audience).circle).toEqual(circles);
  });

  it('names every broken shape', () => {
    const { errors } = capAudience(alert([{ polygon: [SQUARE, '1,2'] }], [{}, { circle: ['x'] }]));
    expect(errors).toMatchObject([
      { field: 'info[0].area[0].polygon[1]', code: 'cap_polygon' },
      { field: 'info[1].area[1].circle[0]', code: 'cap_circle' },
    ]);
  });
});

describe('capShapes', () => {
  it('gives back what CAP can say', () => {
    const { audience } = capAudience(alert([{ polygon: [SQUARE], circle: ['1.5,-2 3'] }]));
    expect(capShapes(audience)).toEqual({ polygon: [SQUARE], circle: ['1.5,-2 3'] });
    expect(capShapes({ and: [audience, { tags: ['x'] }, { not: { near: { lat: 0, lon: 0, km: 1 } } }] })).toEqual(capShapes(audience));
    expect(capShapes({ all: true })).toEqual({ polygon: [], circle: [] });
    expect(capShapes({ near: { lat: 0.0000001, lon: -0.00000001, km: 0.5 } }).circle).toEqual(['0.0000001,0 0.5']);
  });
});
