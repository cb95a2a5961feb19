import type { Audience, Polygon } from '#schemas/audience.ts';
import type { CapAlert, CapArea, CapError } from './cap-alert.ts';

const NUMBER = '[+-]?[0-9]+(?:\\.[0-9]*)?|[+-]?\\.[0-9]+';
const PAIR = new RegExp(`^(${NUMBER}),(${NUMBER})$`);

/** Reads [lat, lon] as CAP writes them. @returns undefined for anything else */
function pair(text: string): [number, number] | undefined {
  const match = PAIR.exec(text);
  if (!match) return undefined;
  const lat = Number(match[1]);
  const lon = Number(match[2]);
  return Math.abs(lat) <= 90 && Math.abs(lon) <= 180 ? [lat, lon] : undefined;
}

/** Reads CAP's "lat,lon lat,lon …" as GeoJSON, which has lon first. @returns words about the fault otherwise */
export function parsePolygon(text: string): Polygon | string {
  const ring: [number, number][] = [];
  for (const part of text.trim().split(/\s+/)) {
    const point = pair(part);
    if (!point) return `"${part.slice(0, 40)}" is not "lat,lon" in degrees`;
    ring.push([point[1], point[0]]);
  }
  const first = ring[0];
  const last = ring.at(-1);
  if (ring.length < 4 || !first || !last) return 'a polygon needs at least 4 pairs, the last like the first';
  if (first[0] !== last[0] || first[1] !== last[1]) return 'the polygon is not closed: its last pair must be like its first';
  return { type: 'Polygon', coordinates: [ring] };
}

/** Reads CAP's "lat,lon km". @returns words about the fault otherwise */
export function parseCircle(text: string): { lat: number; lon: number; km: number } | string {
  const [centre = '', radius = '', ...rest] = text.trim().split(/\s+/);
  const point = pair(centre);
  const km = new RegExp(`^(?:${NUMBER})$`).test(radius) ? Number(radius) : Number.NaN;
  if (!point || !(km >= 0 && km <= 20_100) || rest.length > 0) return 'must be "lat,lon km"';
  return { lat: point[0], lon: point[1], km };
}

export interface CapAudience {
  readonly audience: Audience;
  readonly errors: CapError[];
}

/** An `or` of an audience takes 50 parts, and an alert may have more shapes. */
const MAX_PARTS = 50;
/** A `tags` of an audience takes 200 words. */
const MAX_TAGS = 200;

/**
 * Makes the audience of an alert: people in any polygon or circle of any area. An area without a shape, or with a circle of
 * 0 km (a point where something happened), means the people tagged with its name or its codes ("SAME:006037"). An alert
 * without areas is for nobody until a person chooses, and never for everybody, since a shape may have been lost on the way.
 */
export function capAudience(alert: CapAlert): CapAudience {
  const errors: CapError[] = [];
  const shapes = new Map<string, Audience>();
  const tags = new Set<string>();
  for (const [i, info] of alert.info.entries())
    for (const [j, area] of info.area.entries()) {
      const found = areaShapes(area, `info[${i}].area[${j}]`, errors);
      // The infos of an alert are mostly one text in several languages with the same areas.
      for (const [key, shape] of found) shapes.set(key, shape);
      if (found.length === 0) for (const tag of areaTags(area)) tags.add(tag);
    }
  const parts = [...shapes.values()];
  if (tags.size > 0) parts.push({ tags: [...tags].slice(0, MAX_TAGS) });
  return { audience: parts.length === 0 ? { not: { all: true } } : either(parts), errors };
}

function areaShapes(area: CapArea, path: string, errors: CapError[]): [string, Audience][] {
  const found: [string, Audience][] = [];
  for (const [k, text] of area.polygon.entries()) {
    const polygon = parsePolygon(text);
    if (typeof polygon === 'string') errors.push({ field: `${path}.polygon[${k}]`, code: 'cap_polygon', detail: polygon });
    else found.push([text.trim(), { within: polygon }]);
  }
  for (const [k, text] of area.circle.entries()) {
    const circle = parseCircle(text);
    if (typeof circle === 'string') errors.push({ field: `${path}.circle[${k}]`, code: 'cap_circle', detail: circle });
    else if (circle.km > 0) found.push([text.trim(), { near: circle }]);
  }
  return found;
}

const areaTags = (area: CapArea): string[] =>
  [area.areaDesc, ...area.geocode.map(({ valueName, value }) => `${valueName}:${value}`)]
    .map((tag) => tag.replace(/\s+/g, ' ').trim().slice(0, 100))
    .filter(Boolean);

function either(parts: Audience[]): Audience {
  const [only] = parts;
  if (parts.length === 1 && only) return only;
  if (parts.length <= MAX_PARTS) return { or: parts };
  const groups: Audience[] = [];
  for (let i = 0; i < parts.length; i += MAX_PARTS) groups.push({ or: parts.slice(i, i + MAX_PARTS) });
  return either(groups);
}

export interface Shapes {
  polygon: string[];
  circle: string[];
}

/**
 * Gives the shapes of an audience as CAP writes them. CAP polygons have no holes, so that only the outer rings are given.
 * Shapes under `not` are left out, since CAP cannot subtract.
 */
export function capShapes(audience: Audience): Shapes {
  if ('within' in audience)
    return { polygon: [(audience.within.coordinates[0] ?? []).map(([lon, lat]) => `${degrees(lat)},${degrees(lon)}`).join(' ')], circle: [] };
  if ('near' in audience) return { polygon: [], circle: [`${degrees(audience.near.lat)},${degrees(audience.near.lon)} ${degrees(audience.near.km)}`] };
  const parts = 'and' in audience ? audience.and : 'or' in audience ? audience.or : [];
  const shapes = parts.map(capShapes);
  return { polygon: shapes.flatMap((s) => s.polygon), circle: shapes.flatMap((s) => s.circle) };
}

/** Writes plain decimal digits, where String would write 1e-7 for a small number. Seven places are a centimetre. */
const degrees = (n: number): string =>
  n
    .toFixed(7)
    .replace(/\.?0+$/, '')
    .replace(/^-0$/, '0');
