import type { Environment } from '#platform/config.ts';
import type { Api } from './api.ts';

/** Everything outside of itself that a command may use. */
export interface Io {
  readonly env: Environment;
  out(text: string): void;
  err(text: string): void;
  readonly stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  /** Columns of the terminal; undefined when the output is not a terminal. */
  readonly columns: number | undefined;
  /** Asks the person at the terminal; undefined when there is nobody. */
  ask(question: string): Promise<string | undefined>;
  /** Ends with Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The command line is wrong, which ends the command with exit code 2. */
export class UsageError extends Error {}

export interface CommandInput {
  readonly api: Api;
  readonly io: Io;
  /** Words after the verb. */
  readonly words: readonly string[];
  readonly flags: Flags;
}

export type Flags = Readonly<Record<string, string | boolean | string[] | undefined>>;

export type Command = (input: CommandInput) => Promise<void>;

export const flag = (flags: Flags, name: string): string | undefined => (typeof flags[name] === 'string' ? flags[name] : undefined);
export const flagList = (flags: Flags, name: string): string[] => (Array.isArray(flags[name]) ? flags[name] : []);

/** The nth word, or a usage error that says what was expected. */
export function word(words: readonly string[], n: number, what: string): string {
  const given = words[n];
  if (given === undefined || given === '') throw new UsageError(`${what} is missing`);
  return given;
}
