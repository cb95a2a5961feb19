import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Channel, CHANNELS, factsOf } from '#schemas/channel-facts.ts';

/** What messages of a channel are handed over with: an account at a provider, a relay, a pair of keys. */
export interface ProviderAccount {
  readonly channel: Channel;
  /** Which of the channel's adapters takes it. */
  readonly provider: string;
  /** From 1: what senders name it by. */
  readonly number: number;
  /** As the adapter's own folder reads them. They hold secrets, so they are never logged. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What stands before the name of a wrong field: `MUSTER_ACCOUNTS: [0].`. */
  readonly source: string;
}

export interface TwilioAccount {
  readonly accountSid: string;
  /** The one that calls. */
  readonly authToken: string;
  /** All that a webhook may be signed with: two while one is replaced. */
  readonly authTokens: readonly string[];
  /** Without a trailing slash. */
  readonly apiUrl: string;
}

export function twilioAccount(sid: string | undefined, tokens: readonly string[] | undefined, apiUrl: string): TwilioAccount | undefined {
  const authToken = tokens?.[0];
  if (sid === undefined || tokens === undefined || authToken === undefined) return undefined;
  return { accountSid: sid, authToken, authTokens: tokens, apiUrl: apiUrl.replace(/\/+$/, '') };
}

/** Variables that are short for one account each, and what is said where they are missing. */
const SHORTHANDS: readonly { readonly channel: Channel; readonly number: number; readonly name: string; readonly variables: string }[] = [
  { channel: 'push', number: 1, name: 'Web push', variables: 'VAPID_PUBLIC_KEY and VAPID_PRIVATE_KEY' },
  { channel: 'sms', number: 1, name: 'SMS', variables: 'TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN' },
  { channel: 'sms', number: 2, name: 'SMS', variables: 'TWILIO_2_ACCOUNT_SID and TWILIO_2_AUTH_TOKEN' },
  { channel: 'email', number: 1, name: 'E-mail', variables: 'SMTP_URL' },
  { channel: 'email', number: 2, name: 'E-mail', variables: 'SMTP_2_URL' },
];

const shorthandOf = (channel: Channel, number: number) => SHORTHANDS.find((one) => one.channel === channel && one.number === number);

/** Said of an account that is not there to whoever has named it in a sender. */
export function howToSetUp(channel: Channel, number: number): string {
  const short = shorthandOf(channel, number);
  if (short) return `${short.name} is not set up: set ${short.variables}.`;
  if (number > 1) return 'The sender names an account that this installation does not have.';
  return `${factsOf(channel).names.title} is not set up: add an account of the channel ${channel} to MUSTER_ACCOUNTS.`;
}

/** The variables that accounts are made from, as they were parsed. */
interface Variables {
  readonly TWILIO_ACCOUNT_SID?: string | undefined;
  readonly TWILIO_AUTH_TOKEN?: readonly string[] | undefined;
  readonly TWILIO_API_URL: string;
  readonly TWILIO_2_ACCOUNT_SID?: string | undefined;
  readonly TWILIO_2_AUTH_TOKEN?: readonly string[] | undefined;
  readonly TWILIO_2_API_URL?: string | undefined;
  readonly SMTP_URL?: string | undefined;
  readonly SMTP_2_URL?: string | undefined;
  readonly VAPID_PUBLIC_KEY?: string | undefined;
  readonly VAPID_PRIVATE_KEY?: string | undefined;
  readonly VAPID_SUBJECT: string;
  readonly MUSTER_ACCOUNTS?: string | undefined;
}

function fromShorthands(raw: Variables): ProviderAccount[] {
  const twilio = (account: TwilioAccount | undefined) => account && { accountSid: account.accountSid, authTokens: account.authTokens, apiUrl: account.apiUrl };
  const { VAPID_PUBLIC_KEY: publicKey, VAPID_PRIVATE_KEY: privateKey, VAPID_SUBJECT: subject } = raw;
  const given: readonly [Channel, string, number, object | undefined][] = [
    ['push', 'webpush', 1, publicKey && privateKey ? { publicKey, privateKey, subject } : undefined],
    ['sms', 'twilio', 1, twilio(twilioAccount(raw.TWILIO_ACCOUNT_SID, raw.TWILIO_AUTH_TOKEN, raw.TWILIO_API_URL))],
    ['sms', 'twilio', 2, twilio(twilioAccount(raw.TWILIO_2_ACCOUNT_SID, raw.TWILIO_2_AUTH_TOKEN, raw.TWILIO_2_API_URL ?? raw.TWILIO_API_URL))],
    ['email', 'smtp', 1, raw.SMTP_URL === undefined ? undefined : { url: raw.SMTP_URL }],
    ['email', 'smtp', 2, raw.SMTP_2_URL === undefined ? undefined : { url: raw.SMTP_2_URL }],
  ];
  return given.flatMap(([channel, provider, number, settings]) =>
    settings ? [{ channel, provider, number, settings: { ...settings }, source: `${shorthandOf(channel, number)?.variables}: ` }] : [],
  );
}

const listed = z.array(z.looseObject({ channel: z.enum(CHANNELS), provider: z.string().min(1), number: z.int().min(1).max(99).default(1) }));

/** A JSON array as it stands, or the path of a file that holds one. What cannot be read is told without a word of it: it holds secrets. */
function readJson(text: string): unknown {
  let json = text;
  if (!text.trimStart().startsWith('[')) {
    try {
      json = readFileSync(text, 'utf8');
    } catch (error) {
      throw new Error(`is neither a JSON array nor the path of a file that can be read (${(error as { code?: string }).code ?? 'unreadable'})`, {
        cause: error,
      });
    }
  }
  try {
    return JSON.parse(json);
  } catch {
    // The parser's own words would quote the text.
    throw new Error('is not valid JSON');
  }
}

/**
 * The accounts of this installation, those of the variables first.
 * @returns as well one line for each wrong field of MUSTER_ACCOUNTS; the settings themselves are for the adapters to read
 */
export function readAccounts(raw: Variables): { accounts: readonly ProviderAccount[]; problems: string[] } {
  const accounts = fromShorthands(raw);
  if (raw.MUSTER_ACCOUNTS === undefined) return { accounts, problems: [] };
  const problems: string[] = [];
  try {
    const parsed = listed.safeParse(readJson(raw.MUSTER_ACCOUNTS));
    if (!parsed.success) problems.push(...parsed.error.issues.map(({ path, message }) => `MUSTER_ACCOUNTS: ${fieldOf(path)}: ${message}`));
    for (const [i, { channel, provider, number, ...settings }] of (parsed.data ?? []).entries()) {
      const problem = numberProblem(accounts, channel, number);
      if (problem === undefined) accounts.push({ channel, provider, number, settings, source: `MUSTER_ACCOUNTS: [${i}].` });
      else problems.push(`MUSTER_ACCOUNTS: [${i}].number: ${problem}`);
    }
  } catch (error) {
    problems.push(`MUSTER_ACCOUNTS: ${(error as Error).message}`);
  }
  return { accounts, problems };
}

/** `[0].number` */
const fieldOf = (path: readonly PropertyKey[]): string => path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('') || 'the list';

/** Senders name accounts by their numbers, so none is given out by itself: another variable would move it. */
function numberProblem(accounts: readonly ProviderAccount[], channel: Channel, number: number): string | undefined {
  if (factsOf(channel).accounts === 'one' && number !== 1) return `${channel} has one account alone`;
  const other = accounts.find((one) => one.channel === channel && one.number === number);
  return other && `account ${number} of ${channel} is there already (${other.source.replace(/[:.]\s*$/, '')}): give this one another number`;
}
