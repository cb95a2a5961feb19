import type { ParseArgsOptionsConfig } from 'node:util';
import type { Database } from '#db/database.ts';
import type { Environment } from '#platform/config.ts';
import { PublicIds } from '#platform/tokens.ts';
import { CHANNELS, type Channel, MESSAGE_CLASSES, type MessageClass } from '#schemas/delivery.ts';
import { addSender, changeSenderRate } from '#services/add-sender.ts';
import { hostActor } from '#services/context.ts';
import { createOrganisation } from '#services/create-organisation.ts';
import { findOrganisation, listOrganisations } from '#services/list-organisations.ts';
import { listSenders, type SenderView } from '#services/senders.ts';
import { setOperator } from '#services/set-operator.ts';

/** What the command may touch of the outside. */
export interface OrganisationsIo {
  readonly env: Environment;
  out(text: string): void;
  err(text: string): void;
  /** Everything on standard input, for `--password-stdin`. */
  readStdin(): Promise<string>;
  /** Asks at the terminal without showing what is typed; undefined when there is none. */
  askSecret(question: string): Promise<string | undefined>;
}

/** Wrong words on the command line: exit code 2. */
export class UsageError extends Error {}

/** What the flags say. */
export type Values = Readonly<Record<string, string | boolean | undefined>>;

interface Work {
  readonly db: Database;
  readonly io: OrganisationsIo;
  readonly values: Values;
  /** Prints JSON where that was asked for, else the lines. */
  print(json: unknown, lines: string): void;
}

export interface Verb {
  readonly options: ParseArgsOptionsConfig;
  readonly needs: readonly string[];
  run(work: Work): Promise<void>;
}

const text = { type: 'string' } as const;
const yes = { type: 'boolean' } as const;

export const VERBS: Readonly<Record<string, Verb>> = {
  create: {
    options: {
      name: text,
      'admin-email': text,
      'admin-name': text,
      'time-zone': text,
      locale: text,
      country: text,
      operator: yes,
      'password-stdin': yes,
    },
    needs: ['name', 'admin-email'],
    run: create,
  },
  list: { options: {}, needs: [], run: list },
  operator: { options: { email: text, revoke: yes }, needs: ['email'], run: operator },
  senders: { options: { organisation: text }, needs: ['organisation'], run: senders },
  sender: {
    options: { organisation: text, channel: text, name: text, address: text, classes: text, rate: text, account: text, drill: yes, simulated: yes },
    needs: ['organisation', 'channel', 'name'],
    run: sender,
  },
  rate: { options: { organisation: text, sender: text, rate: text }, needs: ['organisation', 'sender', 'rate'], run: rate },
};

const given = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};

async function create({ db, io, values, print }: Work): Promise<void> {
  const email = given(values, 'admin-email') ?? '';
  const name = given(values, 'name') ?? '';
  const made = await createOrganisation(
    { db },
    {
      name,
      admin: { email, name: given(values, 'admin-name') ?? 'Administrator', password: await passwordOf(io, values) },
      timeZone: given(values, 'time-zone'),
      locale: given(values, 'locale'),
      country: given(values, 'country'),
      operator: values['operator'] === true,
    },
  );
  print(
    { id: made.tenantId, apiKey: made.apiKey },
    `organisation ${made.tenantId}: ${name}\nadministrator: ${email}${values['operator'] === true ? ', operator' : ''}\nAPI key, shown this once: ${made.apiKey}\n`,
  );
}

/** Never an argument: those are seen by every user of the machine and kept in the shell's history. */
async function passwordOf(io: OrganisationsIo, values: Values): Promise<string> {
  if (values['password-stdin'] === true) return (await io.readStdin()).split(/\r?\n/, 1)[0] ?? '';
  const password = await io.askSecret('Password of the administrator: ');
  if (password === undefined) throw new UsageError('no terminal to ask for the password: give --password-stdin');
  if ((await io.askSecret('The same again: ')) !== password) throw new UsageError('the two passwords are not the same');
  return password;
}

async function list({ db, print }: Work): Promise<void> {
  const all = await listOrganisations({ db });
  const lines = all.map((one) => {
    const operators = one.operators.length > 0 ? `  operators: ${one.operators.join(', ')}` : '';
    return `${String(one.id).padStart(5)}  ${one.name.padEnd(32)}  ${one.people} signing in, ${one.senders} senders${operators}\n`;
  });
  print(all, lines.join('') || 'no organisation yet: npm run organisations -- create --help\n');
}

async function operator({ db, values, print }: Work): Promise<void> {
  const email = given(values, 'email') ?? '';
  const named = values['revoke'] !== true;
  const { tenantId, changed } = await setOperator({ db }, email, named);
  print({ email, organisation: tenantId, operator: named, changed }, `${email}: ${named ? 'operator' : 'no operator'}${changed ? '' : ', as before'}\n`);
}

async function contextOf(db: Database, values: Values) {
  const { id } = await findOrganisation({ db }, given(values, 'organisation') ?? '');
  const { id_key } = await db.across.selectFrom('installation').select('id_key').executeTakeFirstOrThrow();
  return { db, tenantId: id, actor: hostActor, ids: new PublicIds(id_key) };
}

const senderLine = (one: SenderView): string =>
  [
    one.id,
    one.channel.padEnd(5),
    `account ${one.account}`,
    (one.unitsPerSecond === null ? 'no rate' : `${one.unitsPerSecond}/s`).padEnd(8),
    one.classes.join(',').padEnd(13),
    `${one.name}${one.address === '' ? '' : `  ${one.address}`}`,
    ...(one.drill ? ['drills'] : []),
    ...(one.stoppedAt === null ? [] : [`stopped: ${one.stoppedReason ?? ''}`]),
    ...(one.failing === null ? [] : [`its provider fails: ${one.failing.code ?? ''}`]),
  ].join('  ');

async function senders({ db, values, print }: Work): Promise<void> {
  const all = await listSenders(await contextOf(db, values));
  print(all, all.map((one) => `${senderLine(one)}\n`).join('') || 'no sender yet: npm run organisations -- sender --help\n');
}

async function sender({ db, values, print }: Work): Promise<void> {
  const channel = oneOf<Channel>('channel', given(values, 'channel') ?? '', CHANNELS);
  if (channel !== 'push' && given(values, 'address') === undefined) throw new UsageError(`--address is missing: where ${channel} messages come from`);
  const rateGiven = given(values, 'rate');
  const ctx = await contextOf(db, values);
  const { id } = await addSender(ctx, {
    channel,
    name: given(values, 'name') ?? '',
    address: given(values, 'address') ?? '',
    classes: [
      ...new Set(
        (given(values, 'classes') ?? MESSAGE_CLASSES.join(',')).split(',').map((word) => oneOf<MessageClass>('classes', word.trim(), MESSAGE_CLASSES)),
      ),
    ],
    drill: values['drill'] === true,
    simulated: values['simulated'] === true,
    account: oneOf<'1' | '2'>('account', given(values, 'account') ?? '1', ['1', '2']) === '2' ? 2 : 1,
    unitsPerSecond: rateGiven === undefined ? null : rateOf(rateGiven),
  });
  print({ id, organisation: ctx.tenantId }, `${id}: added\n`);
}

async function rate({ db, values, print }: Work): Promise<void> {
  const wanted = rateOf(given(values, 'rate') ?? '');
  const { id } = await changeSenderRate(await contextOf(db, values), given(values, 'sender') ?? '', wanted);
  print({ id, unitsPerSecond: wanted }, `${id}: ${wanted === null ? 'no rate' : `${wanted}/s`}\n`);
}

function oneOf<T extends string>(name: string, value: string, words: readonly T[]): T {
  const word = words.find((one) => one === value);
  if (word === undefined) throw new UsageError(`--${name}: must be ${words.join(', ')}, not "${value}"`);
  return word;
}

function rateOf(value: string): number | null {
  if (value === 'none') return null;
  if (!/^\d+(\.\d+)?$/.test(value)) throw new UsageError(`--rate: must be a number a second such as 3 or 0.5, or none, not "${value}"`);
  return Number(value);
}
