/** The mean radius of the earth in km (IUGG R1), as turf and most gazetteers use it. */
export const EARTH_RADIUS_KM = 6371.0088;

/** A box in degrees. `west > east` means that it crosses the antimeridian. */
export interface Box {
  readonly south: number;
  readonly north: number;
  readonly west: number;
  readonly east: number;
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;
const degrees = (rad: number): number => (rad * 180) / Math.PI;

/** The great-circle distance in km. Haversine is off by less than half a percent everywhere, and stable for short distances. */
export function distanceKm(a: { lat: number; lon: number }, b: { lat: number; lon: number }): number {
  const h = Math.sin(radians(b.lat - a.lat) / 2) ** 2 + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * Math.sin(radians(b.lon - a.lon) / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The smallest box that holds the circle. It has all longitudes where the circle holds a pole. */
export function boxAround(centre: { lat: number; lon: number }, km: number): Box {
  // The box is a hair wider than the circle, so that rounding never drops a point that the exact distance would keep.
  const angle = km / EARTH_RADIUS_KM + 1e-9;
  const south = centre.lat - degrees(angle);
  const north = centre.lat + degrees(angle);
  if (south <= -90 || north >= 90) return { south: Math.max(south, -90), north: Math.min(north, 90), west: -180, east: 180 };
  // The widest point lies polewards of the centre: asin(sin d / cos lat), not d / cos lat.
  const spread = degrees(Math.asin(Math.min(1, Math.sin(angle) / Math.cos(radians(centre.lat))))) + 1e-9;
  return { south, north, west: wrap(centre.lon - spread), east: wrap(centre.lon + spread) };
}

const wrap = (lon: number): number => (lon < -180 ? lon + 360 : lon > 180 ? lon - 360 : lon);

/** The box of a ring of [lon, lat] positions. It never crosses the antimeridian, since RFC 7946 cuts polygons there. */
export function boxOfRing(ring: readonly (readonly [number, number])[]): Box {
  let [west, south, east, north] = [180, 90, -180, -90];
  for (const [lon, lat] of ring) {
    if (lon < west) west = lon;
    if (lon > east) east = lon;
    if (lat < south) south = lat;
    if (lat > north) north = lat;
  }
  return { south, north, west, east };
}
