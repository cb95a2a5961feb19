import { parseArgs } from 'node:util';

export const FIGURES = [
  'throughput',
  'firstCall',
  'growth',
  'scaleOut',
  'lanes',
  'fairShare',
  'pace',
  'throttled',
  'answers',
  'receipts',
  'imports',
  'watchers',
] as const;
export type FigureName = (typeof FIGURES)[number];

/** Every size of a full run; `--quick` and `--tiny` change some. */
const FULL = {
  /** Measured rounds of each contestant; medians are taken over them. */
  rounds: 3,
  /** Messages a round. */
  sms: 100_000,
  email: 30_000,
  push: 20_000,
  /** First call: how many people the message goes to, and how many times it is measured. */
  audience: 10_000,
  tries: 20,
  /** Growth: the cost of a delivery at `large` is compared with that at `small`. */
  small: 10_000,
  large: 1_000_000,
  /**
   * Lanes and fair share: how many people are in flight by bulk, and how many the life message or the small tenant beside it
   * has.
   */
  bulk: 1_000_000,
  life: 10_000,
  few: 1_000,
  /** Pace: units per second, worker processes, and the seconds for which each combination is watched. */
  paceRates: [50, 100, 400],
  paceWorkers: [1, 2, 4],
  paceSeconds: 30,
  throttledSeconds: 40,
  answers: 20_000,
  receipts: 20_000,
  /** Rows of the imported CSV file. */
  rows: 1_000_000,
  watchers: 1_000,
  watched: 40_000,
};
export type Sizes = typeof FULL;

/** Sizes with which a run ends within two minutes on two cores. */
const QUICK: Partial<Sizes> = { sms: 8_000, email: 4_000, push: 2_500, audience: 2_000, tries: 20 };
const QUICK_FIGURES: readonly FigureName[] = ['throughput', 'firstCall'];
/** What is under way at this time still comes to its end, and processes and servers need a few seconds to end. */
const QUICK_BUDGET_MS = 95_000;

/** Sizes that only show that everything runs and that counts agree; the figures say nothing. */
const TINY: Sizes = {
  rounds: 1,
  sms: 300,
  email: 300,
  push: 300,
  audience: 300,
  tries: 3,
  small: 300,
  large: 1_200,
  bulk: 60_000,
  life: 300,
  few: 100,
  paceRates: [50, 100],
  paceWorkers: [1, 2],
  paceSeconds: 4,
  throttledSeconds: 14,
  answers: 300,
  receipts: 300,
  rows: 2_000,
  watchers: 20,
  watched: 600,
};

export interface Options {
  readonly mode: 'full' | 'quick' | 'tiny';
  readonly figures: readonly FigureName[];
  readonly sizes: Sizes;
  readonly json: boolean;
  readonly save: boolean;
  /** False leaves Redis out although it is installed. */
  readonly redis: boolean;
  /** Takes Node processes as carriers although nginx and smtp-sink are installed. */
  readonly nodeCarriers: boolean;
  /** Milliseconds after which nothing more is begun. */
  readonly budgetMs: number;
  /** Folder for `--cpu-prof` of the worker and API processes. */
  readonly profile: string | undefined;
}

export const HELP = `npm run bench -- [options]

  --quick            three channels and the first call, small sizes, within two minutes
  --tiny             every figure once with a few hundred messages: shows that it runs, measures nothing
  --only a,b         of: ${FIGURES.join(', ')}
  --size name=value  any size; lists with "/": ${Object.keys(FULL).join(', ')}
  --minutes n        begin nothing more after n minutes (full: 60)
  --no-redis         leave Redis out although it is there
  --node-carriers    Node processes as carriers although nginx and smtp-sink are there
  --no-save          write no result file and no charts
  --profile folder   CPU profiles of API and workers (node --cpu-prof)
  --json             one JSON object on stdout, progress on stderr
`;

/** The command line is wrong; the message is for people. */
export class OptionsError extends Error {}

function sizesOf(base: Sizes, given: readonly string[]): Sizes {
  const sizes: Record<string, number | number[]> = { ...base };
  for (const text of given) {
    const [name = '', value = ''] = text.split('=', 2);
    if (!(name in sizes)) throw new OptionsError(`--size ${name}: unknown; there are ${Object.keys(base).join(', ')}`);
    const numbers = value.split('/').map((part) => Number(part.replaceAll('_', '')));
    if (numbers.some((n) => !Number.isInteger(n) || n < 1 || n > 2_000_000)) throw new OptionsError(`--size ${text}: whole numbers from 1 to 2,000,000`);
    sizes[name] = Array.isArray(sizes[name]) ? numbers : (numbers[0] ?? 1);
  }
  return sizes as Sizes;
}

function figuresOf(text: string | undefined, mode: Options['mode']): readonly FigureName[] {
  if (text === undefined) return mode === 'quick' ? QUICK_FIGURES : FIGURES;
  const names = text.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !FIGURES.includes(name as FigureName));
  if (wrong !== undefined) throw new OptionsError(`--only ${wrong}: unknown; there are ${FIGURES.join(', ')}`);
  return FIGURES.filter((name) => names.includes(name));
}

/** @returns 'help', or what to run. @throws OptionsError */
export function readOptions(args: readonly string[]): Options | 'help' {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    throw new OptionsError((error as Error).message, { cause: error });
  }
  if (values.help) return 'help';
  const mode = values.tiny ? 'tiny' : values.quick ? 'quick' : 'full';
  const minutes = Number(values.minutes ?? 60);
  if (!(minutes > 0 && minutes <= 600)) throw new OptionsError('--minutes: from 1 to 600');
  return {
    mode,
    figures: figuresOf(values.only, mode),
    sizes: sizesOf(mode === 'tiny' ? TINY : mode === 'quick' ? { ...FULL, ...QUICK } : FULL, values.size ?? []),
    json: values.json ?? false,
    save: values['no-save'] !== true && mode !== 'tiny',
    redis: values['no-redis'] !== true,
    nodeCarriers: values['node-carriers'] ?? false,
    budgetMs: mode === 'quick' && values.minutes === undefined ? QUICK_BUDGET_MS : minutes * 60_000,
    profile: values.profile,
  };
}

const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean' },
      tiny: { type: 'boolean' },
      only: { type: 'string' },
      size: { type: 'string', multiple: true },
      minutes: { type: 'string' },
      'no-redis': { type: 'boolean' },
      'node-carriers': { type: 'boolean' },
      'no-save': { type: 'boolean' },
      profile: { type: 'string' },
      json: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  }).values;
