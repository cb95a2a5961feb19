import { readFileSync } from 'node:fs';
import { flag, flagList, type Flags, UsageError } from './io.ts';

/** Text per locale from `--text "words"` (in --locale, default en) and `--text fr="mots"`. */
export function textOf(flags: Flags): Record<string, string> {
  const given = flagList(flags, 'text');
  if (given.length === 0) throw new UsageError('--text is missing');
  return Object.fromEntries(
    given.map((value) => {
      const [, locale, words] = /^([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)=(.+)$/s.exec(value) ?? [];
      return locale && words ? [locale, words] : [flag(flags, 'locale') ?? 'en', value];
    }),
  );
}

/**
 * Whom it is for: `--to all`, `--to tag:a,b` (any of them), `--to skill:x`, `--to id:rcp_…`, `--to near:lat,lon,km`;
 * several `--to` narrow it down. `--audience` takes the API's own expression as JSON, or @file.
 */
export function audienceOf(flags: Flags): unknown {
  const json = flag(flags, 'audience');
  const terms = flagList(flags, 'to');
  if (json !== undefined && terms.length > 0) throw new UsageError('--audience and --to exclude each other');
  if (json !== undefined) return parse('--audience', json.startsWith('@') ? readText(json.slice(1)) : json);
  if (terms.length === 0) throw new UsageError('--to is missing: --to all, --to tag:name, --to skill:name, --to id:rcp_…, --to near:lat,lon,km');
  const parts = terms.map(termOf);
  return parts.length === 1 ? parts[0] : { and: parts };
}

function termOf(term: string): unknown {
  if (term === 'all') return { all: true };
  const [kind, rest] = [term.slice(0, term.indexOf(':')), term.slice(term.indexOf(':') + 1)];
  const words = rest.split(',').filter((one) => one !== '');
  if (words.length > 0 && kind === 'tag') return { tags: words };
  if (words.length > 0 && kind === 'skill') return { skills: words };
  if (words.length > 0 && kind === 'id') return { ids: words };
  const [lat, lon, km] = words.map(Number);
  if (kind === 'near' && words.length === 3 && [lat, lon, km].every(Number.isFinite)) return { near: { lat, lon, km } };
  throw new UsageError(`--to ${term}: say all, tag:name, skill:name, id:rcp_… or near:lat,lon,km`);
}

const DURATION = { m: 60, h: 3600, d: 86_400 } as const;

/** `90m`, `4h`, `2d` from now, or a time of RFC 3339, as RFC 3339. */
export function timeOf(name: string, value: string, now: number): string {
  const [, amount, unit] = /^(\d+)([mhd])$/.exec(value) ?? [];
  if (amount && unit) return new Date(now + Number(amount) * DURATION[unit as keyof typeof DURATION] * 1000).toISOString();
  if (Number.isNaN(Date.parse(value))) throw new UsageError(`--${name} ${value}: say 90m, 4h, 2d or a time such as 2030-05-01T18:00:00Z`);
  return value;
}

/** What a life message must say: `--who`, `--where`, `--do`, `--issuer`; without them the organisation's standing words hold. */
export function wordingFrom(flags: Flags): Record<string, string> {
  const given = { who: flag(flags, 'who'), where: flag(flags, 'where'), instruction: flag(flags, 'do'), issuer: flag(flags, 'issuer') };
  return Object.fromEntries(Object.entries(given).flatMap(([part, words]) => (words === undefined ? [] : [[part, words]])));
}

/** Of a message, what decides whom it reaches, how long its texts are and how long it takes. */
const PREVIEWED = new Set(['audience', 'class', 'drill', 'channels', 'text', 'says', 'answers', 'share', 'startAt', 'expiresAt']);

/** The same message as `send` would post, as far as a preview looks at it; the text may still be missing. */
export const previewOf = (flags: Flags, now: number): Record<string, unknown> =>
  Object.fromEntries(Object.entries(messageOf(flags, now, false)).filter(([name]) => PREVIEWED.has(name)));

/** The message that `send` posts: a file with the API's own JSON, overlaid by flags. */
export function messageOf(flags: Flags, now: number, needsText = true): Record<string, unknown> {
  const file = flag(flags, 'file');
  const base = file === undefined ? {} : (parse('--file', readText(file)) as Record<string, unknown>);
  const answers = flagList(flags, 'answer').map((one) => {
    const at = one.indexOf('=');
    if (at < 1) throw new UsageError(`--answer ${one}: say key=Label, such as yes="I am coming"`);
    const key = one.slice(0, at);
    return { key, label: one.slice(at + 1), ...(flagList(flags, 'counts').includes(key) ? { counts: true } : {}) };
  });
  const [expires, start, channels] = [flag(flags, 'expires'), flag(flags, 'start'), flag(flags, 'channels')];
  return {
    ...base,
    ...(flag(flags, 'class') === undefined ? (file === undefined ? { class: 'ops' } : {}) : { class: flag(flags, 'class') }),
    ...((file === undefined && needsText) || flagList(flags, 'text').length > 0 ? { text: textOf(flags) } : {}),
    ...(file === undefined || flagList(flags, 'to').length > 0 || flag(flags, 'audience') !== undefined ? { audience: audienceOf(flags) } : {}),
    ...(flag(flags, 'title') === undefined ? {} : { title: flag(flags, 'title') }),
    ...(flags['drill'] === true ? { drill: true } : {}),
    ...(flags['share'] === true ? { share: true } : {}),
    ...(Object.keys(wordingFrom(flags)).length > 0 ? { says: { ...(base['says'] as object | undefined), ...wordingFrom(flags) } } : {}),
    ...(answers.length > 0 ? { answers } : {}),
    ...(channels === undefined ? {} : { channels: channels.split(',') }),
    ...(expires === undefined ? {} : { expiresAt: timeOf('expires', expires, now) }),
    ...(start === undefined ? {} : { startAt: timeOf('start', start, now) }),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path}: ${(error as { code?: string }).code === 'ENOENT' ? 'no such file' : (error as Error).message}`, { cause: error });
  }
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UsageError(`${name}: ${(error as Error).message}`, { cause: error });
  }
}
