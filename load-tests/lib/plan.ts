/** What one load test does; run.ts hands it to the k6 script as a file. */
export interface LoadPlan extends Settings {
  readonly name: LoadName;
  /** Name of this run, which stands in tags, texts and file names. */
  readonly run: string;
  readonly quick: boolean;
  /** Base address without a slash at the end; the API is below /v1. */
  readonly site: string;
  readonly simulator: string;
  readonly apiKey: string;
  /** Tag of everybody imported for this run. */
  readonly tag: string;
  /** Tag of the few people whom a life message goes to. */
  readonly lifeTag: string;
  /** How many people have that tag; they alone have browsers that take push. */
  readonly lifePeople: number;
  /** JSON list of answer or share links' tokens; '' where the script needs none. */
  readonly tokensFile: string;
  /** JSON list of push subscriptions of visitors; '' where the script needs none. */
  readonly subscriptionsFile: string;
  /** Where the script leaves its summary. */
  readonly summaryFile: string;
  /** Message that was launched before the script starts; '' where the script launches its own. */
  readonly messageId: string;
}

export interface Settings {
  readonly people: number;
  /** Requests or people a second at the peak; which of them, each script says. */
  readonly rate: number;
  readonly seconds: number;
  readonly campaigns: number;
  /** Full runs fail when a kind of request has a slower 95th percentile. */
  readonly p95Ms: number;
}

export const LOAD_NAMES = ['fan-out', 'acknowledge-storm', 'share-burst', 'mixed-day', 'api-abuse'] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

/** Settings for two cores that the whole system and k6 share; raise them by environment on bigger machines. */
const FULL: Readonly<Record<LoadName, Settings>> = {
  'fan-out': { people: 2_000, rate: 20, seconds: 120, campaigns: 8, p95Ms: 1_000 },
  'acknowledge-storm': { people: 6_000, rate: 2, seconds: 60, campaigns: 1, p95Ms: 1_000 },
  'share-burst': { people: 50, rate: 100, seconds: 60, campaigns: 1, p95Ms: 1_000 },
  'mixed-day': { people: 2_000, rate: 10, seconds: 120, campaigns: 6, p95Ms: 2_000 },
  'api-abuse': { people: 10, rate: 100, seconds: 30, campaigns: 1, p95Ms: 1_000 },
};

/** Settings for a few seconds each, slow enough for any machine: every path is taken once, and nothing is said about speed. */
const QUICK: Readonly<Record<LoadName, Settings>> = {
  'fan-out': { people: 60, rate: 3, seconds: 20, campaigns: 4, p95Ms: 10_000 },
  'acknowledge-storm': { people: 60, rate: 1, seconds: 4, campaigns: 1, p95Ms: 10_000 },
  'share-burst': { people: 10, rate: 10, seconds: 4, campaigns: 1, p95Ms: 10_000 },
  'mixed-day': { people: 60, rate: 3, seconds: 6, campaigns: 2, p95Ms: 10_000 },
  'api-abuse': { people: 10, rate: 20, seconds: 5, campaigns: 1, p95Ms: 10_000 },
};

/** Bounds that hold whatever a run is told. There are no more people than numbers that are kept for fiction. */
const BOUNDS: Readonly<Record<keyof Settings, readonly [least: number, most: number, about: string]>> = {
  people: [10, 30_000, 'how many people are imported and sent to'],
  rate: [1, 2_000, 'requests, visitors or watchers a second'],
  seconds: [2, 1_800, 'how long the load lasts'],
  campaigns: [1, 100, 'how many messages are launched'],
  p95Ms: [1, 60_000, 'the slowest 95th percentile that passes'],
};

const nameOf = (key: string): string => `LOAD_${key.replace(/(?=[A-Z])/g, '_').toUpperCase()}`;

/** The defaults of a script, changed by what the environment says. @throws one line that names the variable */
export function settingsOf(name: LoadName, quick: boolean, env: Readonly<Record<string, string | undefined>>): Settings {
  const settings = { ...(quick ? QUICK : FULL)[name] };
  for (const [key, [least, most]] of Object.entries(BOUNDS) as [keyof Settings, readonly [number, number, string]][]) {
    const given = env[nameOf(key)];
    if (given === undefined || given === '') continue;
    if (!/^\d+$/.test(given) || Number(given) < least || Number(given) > most)
      throw new Error(`${nameOf(key)}: must be a whole number from ${least} to ${most}, not ${given}`);
    settings[key] = Number(given);
  }
  return settings;
}

/** One line for each variable, as --help shows them. */
export const settingsHelp = (): string =>
  Object.entries(BOUNDS)
    .map(([key, [least, most, about]]) => `  ${nameOf(key).padEnd(16)} ${about} (${least}-${most})`)
    .join('\n');
