import type { ParseArgsOptionsConfig } from 'node:util';
import type { Database } from '#db/database.ts';
import type { Environment } from '#platform/config.ts';
import { PublicIds } from '#platform/tokens.ts';
import { hostActor } from '#services/context.ts';
import { findOrganisation } from '#services/organisations/list-organisations.ts';

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

export interface Work {
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

export const text = { type: 'string' } as const;
export const yes = { type: 'boolean' } as const;

export const given = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
};

/** Never an argument: those are seen by every user of the machine and kept in the shell's history. */
export async function passwordOf({ io, values }: Pick<Work, 'io' | 'values'>, whose: string): Promise<string> {
  if (values['password-stdin'] === true) return (await io.readStdin()).split(/\r?\n/, 1)[0] ?? '';
  const password = await io.askSecret(`Password of ${whose}: `);
  if (password === undefined) throw new UsageError('no terminal to ask for the password: give --password-stdin');
  if ((await io.askSecret('The same again: ')) !== password) throw new UsageError('the two passwords are not the same');
  return password;
}

export async function contextOf(db: Database, values: Values) {
  const { id } = await findOrganisation({ db }, given(values, 'organisation') ?? '');
  const { id_key } = await db.across.selectFrom('installation').select('id_key').executeTakeFirstOrThrow();
  return { db, tenantId: id, actor: hostActor, ids: new PublicIds(id_key) };
}

export function oneOf<T extends string>(name: string, value: string, words: readonly T[]): T {
  const word = words.find((one) => one === value);
  if (word === undefined) throw new UsageError(`--${name}: must be ${words.join(', ')}, not "${value}"`);
  return word;
}
