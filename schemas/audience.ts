import { z } from 'zod';

/** [lon, lat] in degrees, WGS 84 (RFC 7946 section 3.1.1). */
const position = z.tuple([z.number().min(-180).max(180), z.number().min(-90).max(90)]);

/** GeoJSON Polygon (RFC 7946 section 3.1.6): each ring has at least four positions and ends where it began. */
export const polygonSchema = z.strictObject({ type: z.literal('Polygon'), coordinates: z.array(z.array(position)).min(1) }).superRefine((polygon, ctx) => {
  for (const [i, ring] of polygon.coordinates.entries()) {
    const first = ring[0];
    const last = ring.at(-1);
    const path = ['coordinates', i];
    if (ring.length < 4) ctx.addIssue({ code: 'custom', path, message: 'a ring needs at least 4 positions' });
    else if (!first || !last || first[0] !== last[0] || first[1] !== last[1])
      ctx.addIssue({ code: 'custom', path, message: 'the ring is not closed: its last position must equal its first' });
  }
});
export type Polygon = z.infer<typeof polygonSchema>;

export type Audience =
  | { all: true }
  | { tags: string[] }
  | { skills: string[] }
  | { ids: string[] }
  | { within: Polygon }
  | { near: { lat: number; lon: number; km: number } }
  | { and: Audience[] }
  | { or: Audience[] }
  | { not: Audience };

const words = z.array(z.string().min(1).max(100)).min(1).max(200);

/**
 * Who a message is for. `tags` and `skills` match people who have any of the words; combine with `and` for all.
 * `near` is a great-circle radius in kilometres.
 */
export const audienceSchema: z.ZodType<Audience> = z.lazy(() =>
  z.union([
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ tags: words }),
    z.strictObject({ skills: words }),
    z.strictObject({ ids: z.array(z.string()).min(1).max(10_000) }),
    z.strictObject({ within: polygonSchema }),
    z.strictObject({
      near: z.strictObject({
        lat: z.number().min(-90).max(90),
        lon: z.number().min(-180).max(180),
        km: z.number().positive().max(20_100),
      }),
    }),
    z.strictObject({ and: z.array(audienceSchema).min(1).max(50) }),
    z.strictObject({ or: z.array(audienceSchema).min(1).max(50) }),
    z.strictObject({ not: audienceSchema }),
  ]),
);
