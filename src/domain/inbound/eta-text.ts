/** When a person says that they will be there: minutes from now, or a time on the clock of their zone. */
export interface Eta {
  readonly etaMinutes?: number;
  /** `HH:MM`, 24 hours. With one digit before the colon (`2:30`) morning or afternoon was not said, so the next one is meant. */
  readonly etaClock?: string;
}

const HOURS = String.raw`(?:hours?|hrs?|hr|h|std|stunden?|heures?|horas?)`;
const MINUTES = String.raw`(?:minutes?|mins?|min|m|minuten|minutos?|')`;
/** These words lead in a time and say nothing else. */
const LEAD = String.raw`(?:(?:in|at|eta|by|around|about|approx|ca|circa|within|there|um|dans|vers|en|a las)\b[\s.:]*|[~@]\s*)*`;
const QUANTITY = /^\s*(?:of|people|persons?|pax|adults?|kids?|children|seats?|cars?|boats?|dogs?|x|more|others?|pers)\b/i;
/** Where one of these days stands in the text, a time on the clock is not one of today. */
const OTHER_DAY = /\b(?:tomorrow|morgen|demain|manana|mañana|yesterday|tonight|weekend|next|mon|tue|wed|thu|fri|sat|sun)(?:\w*day)?\b/i;

/** A longer time is not believed: "18h" is more often six in the evening than three quarters of a day. */
const MAX_MINUTES = 720;

interface Found extends Eta {
  /** Whether the text holds nothing but the time. */
  readonly whole: boolean;
}

/** Finds the one time in the rest of a reply. Two times, or a day that is not today, give none, and the text stays a note. */
export function findEta(rest: string): Found {
  if (OTHER_DAY.test(rest)) return { whole: false };
  const clocks = [...rest.matchAll(CLOCK)].flatMap((m) => {
    const clock = toClock(m);
    return clock === undefined ? [] : [{ clock, text: m[0], from: m.index, to: m.index + m[0].length }];
  });
  const spans = [...rest.matchAll(SPAN)]
    .filter((m) => !clocks.some((c) => m.index < c.to && c.from < m.index + m[0].length))
    .map((m) => ({ minutes: toMinutes(m), text: m[0] }))
    .filter((s) => s.minutes > 0);
  if (clocks.length + spans.length > 1) return { whole: false };
  const clock = clocks[0];
  if (clock) return { etaClock: clock.clock, whole: isAll(rest, clock.text) };
  const span = spans[0];
  if (span && span.minutes > MAX_MINUTES) return { whole: false };
  if (span) return { etaMinutes: span.minutes, whole: isAll(rest, span.text) };
  return bareMinutes(rest);
}

const CLOCK =
  /(?<![\d:.,])(?:(?<h>[01]?\d|2[0-3])\s?(?<sep>[:.]|h)\s?(?<m>[0-5]\d)(?:\s?(?<ap>[ap])\.?m\b\.?)?|(?<h12>1[0-2]|0?[1-9])\s?(?<ap2>[ap])\.?m\b\.?|(?<hhmm>(?:[01]\d|2[0-3])[0-5]\d)(?:\s?(?:h|hrs))?)(?![\d:]|\s?(?:hours?|hrs?|min))/gi;
const SPAN = new RegExp(
  String.raw`(?<![\d:.,])(?:(?<half>half an hour|1/2 ${HOURS})|(?<one>an hour)(?<andHalf> and a half)?|(?:(?<from>\d{1,3})\s?(?:-|–|to)\s?)?(?<n>\d{1,3}(?:[.,]\d{1,2})?)\s?(?:(?<h>${HOURS})(?:\s?(?:and\s)?(?<extra>[0-5]?\d)\s?(?:${MINUTES})?)?|(?<m>${MINUTES})))(?![\p{L}\d])`,
  'giu',
);

function toClock(match: RegExpMatchArray): string | undefined {
  const g = match.groups ?? {};
  if (g.hhmm) return `${g.hhmm.slice(0, 2)}:${g.hhmm.slice(2)}`;
  const half = (g.ap ?? g.ap2)?.toLowerCase();
  let hour = Number(g.h ?? g.h12);
  if (half && hour > 12) return undefined;
  // "1h30" is a span of time, "13h30" a time on the clock.
  if (g.sep?.toLowerCase() === 'h' && hour < 7) return undefined;
  if (!half && hour > 0 && hour < 12 && g.h?.length === 1) return `${hour}:${g.m ?? '00'}`;
  if (half === 'p' && hour < 12) hour += 12;
  if (half === 'a' && hour === 12) hour = 0;
  return `${String(hour).padStart(2, '0')}:${g.m ?? '00'}`;
}

function toMinutes(match: RegExpMatchArray): number {
  const g = match.groups ?? {};
  if (g.half) return 30;
  if (g.one) return g.andHalf ? 90 : 60;
  const n = Number((g.n ?? '0').replace(',', '.'));
  return g.h ? Math.round(n * 60) + Number(g.extra ?? 0) : Math.round(n);
}

/** Reads a number right after the answer ("Y 30") as minutes, unless it counts something ("2 of us"). */
function bareMinutes(rest: string): Found {
  const match = new RegExp(String.raw`^(?<lead>${LEAD})(?:(?<from>\d{1,3})\s?(?:-|–|to)\s?)?(?<n>\d{1,3})(?![\d:.,/])`, 'i').exec(rest);
  const n = Number(match?.groups?.n ?? 0);
  if (!match || n < 1 || n > MAX_MINUTES) return { whole: false };
  const after = rest.slice(match[0].length);
  if (QUANTITY.test(after) || (n < 5 && match.groups?.lead === '')) return { whole: false };
  return { etaMinutes: n, whole: isAll(rest, match[0].slice(match.groups?.lead?.length ?? 0)) };
}

function isAll(rest: string, time: string): boolean {
  const around = rest.replace(time, ' ').replace(/[.,;!+\s]+$/, '');
  return new RegExp(`^${LEAD}\\s*$`, 'i').test(`${around.trimStart()} `);
}
