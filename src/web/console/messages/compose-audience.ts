import type { Audience } from '#schemas/audience.ts';
import { wordsOf } from '#web/console/shell/form.ts';
import type { FormError } from '#web/console/shell/parts.ts';

/** The fields that say whom a message is for, as they were typed. */
export interface AudienceFields {
  who: 'all' | 'some' | 'json';
  tags: string;
  skills: string;
  lat: string;
  lon: string;
  km: string;
  json: string;
}

export const NO_AUDIENCE: AudienceFields = { who: 'all', tags: '', skills: '', lat: '', lon: '', km: '', json: '' };

const words = (text: string): string[] => [...new Set(wordsOf(text))];

/** Says a part of an expression by one line of "Some people"; undefined where those lines cannot say it. */
function lineOf(part: Audience): Partial<AudienceFields> | undefined {
  const typed = (list: readonly string[]): string => list.join(', ');
  const same = (list: readonly string[]): boolean => words(typed(list)).length === list.length && list.every((word, i) => words(typed(list))[i] === word);
  if ('tags' in part) return same(part.tags) ? { tags: typed(part.tags) } : undefined;
  if ('skills' in part) return same(part.skills) ? { skills: typed(part.skills) } : undefined;
  if ('near' in part) return { lat: String(part.near.lat), lon: String(part.near.lon), km: String(part.near.km) };
  return undefined;
}

/** The fields that say this expression. These are the plain ones where they can say it, so that a copied message looks as it was typed. */
export function audienceFields(expression: Audience): AudienceFields {
  if ('all' in expression) return NO_AUDIENCE;
  const json: AudienceFields = { ...NO_AUDIENCE, who: 'json', json: JSON.stringify(expression, null, 2) };
  let some: AudienceFields = { ...NO_AUDIENCE, who: 'some' };
  for (const part of 'and' in expression ? expression.and : [expression]) {
    const line = lineOf(part);
    // Each line can be filled in only once.
    if (!line || Object.keys(line).some((key) => some[key as keyof AudienceFields] !== '')) return json;
    some = { ...some, ...line };
  }
  return some;
}

/** The expression that the fields say. What is wrong with them is added to `errors`. */
export function audienceOf(values: AudienceFields, errors: FormError[]): unknown {
  if (values.who === 'all') return { all: true };
  if (values.who === 'json') {
    try {
      return JSON.parse(values.json) as unknown;
    } catch {
      errors.push({ id: 'json', text: 'The audience expression is not JSON' });
      return undefined;
    }
  }
  const parts: unknown[] = [];
  if (words(values.tags).length > 0) parts.push({ tags: words(values.tags) });
  if (words(values.skills).length > 0) parts.push({ skills: words(values.skills) });
  if ([values.lat, values.lon, values.km].some((text) => text !== '')) parts.push({ near: nearOf(values, errors) });
  if (parts.length === 0) errors.push({ id: 'tags', text: 'Enter a tag, a skill or a place, or choose everybody' });
  return parts.length > 1 ? { and: parts } : parts[0];
}

function nearOf(values: AudienceFields, errors: FormError[]): unknown {
  const read = (id: 'lat' | 'lon' | 'km', what: string, low: number, high: number): number => {
    const n = Number(values[id].replace(',', '.'));
    if (values[id] === '' || !(n >= low && n <= high)) errors.push({ id, text: `${what} must be a number from ${low} to ${high}` });
    return n;
  };
  return { lat: read('lat', 'Latitude', -90, 90), lon: read('lon', 'Longitude', -180, 180), km: read('km', 'Distance in km', 0.1, 20_100) };
}
