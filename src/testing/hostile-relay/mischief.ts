import { type Chance, pick } from '#simulator/chance.ts';

/** One thing a relay says. `code` 0: no reply by RFC 5321 section 4.2.1. */
export interface Said {
  readonly text: string;
  readonly code: number;
  /** Its end never comes. */
  readonly cut?: true;
}

export type After = 'go on' | 'end' | 'reset' | 'silence' | 'deaf';

/** How a relay answers one command. */
export interface Answer {
  readonly said: readonly Said[];
  readonly after: After;
  readonly pauseMs: number;
  /** What the class of its answer is, as far as it goes by the book: 250 or a refusal, however oddly laid out. */
  readonly code: number;
  /** Nothing but layout, delays and refusals. */
  readonly fair: boolean;
  /** One reply too many or too few, or one in the place of another. */
  readonly inPhase: boolean;
}

export type Verb = 'greeting' | 'EHLO' | 'HELO' | 'STARTTLS' | 'AUTH' | 'MAIL' | 'RCPT' | 'DATA' | 'END' | 'RSET' | 'QUIT' | 'other';

export interface Temper {
  /** How often an answer is a foul one: 0 to 1. */
  readonly foul: number;
  /** How often a refusal. */
  readonly refuses: number;
}

const REFUSALS = [400, 421, 450, 451, 452, 454, 499, 500, 501, 503, 530, 550, 551, 552, 553, 554, 556, 599];
const OTHER_2YZ = [200, 211, 251, 252, 299];

/** Something that is no reply: no code, a code of another world, a code that is not followed by what must follow. */
const GARBAGE = [
  'Hello?',
  '100 Wait',
  '150 Soon',
  '600 What',
  '999 Never',
  '2500 Ok',
  '25 Ok',
  '250_Ok',
  '250\u0000Ok',
  '\u0000250 Ok',
  ' 250 Ok',
  '250Ok',
  'HTTP/1.1 200 OK',
  '\u00ff\u00fe250',
  '-250 Ok',
  '250-Ok\r\n550 No',
  '250-Ok\r\nand more',
  '550-No\r\n250 Ok: queued as GHOST',
  '354-Go\r\n250 on',
];

const line = (code: number, text: string): Said => ({ text: `${code} ${text}\r\n`, code });

/** The same reply in other clothes, all of which RFC 5321 section 4.2 allows or every reader forgives. */
function dressed({ text, code }: Said, chance: Chance): Said {
  const words = text.slice(4, -2);
  const looks = [
    text,
    text,
    text,
    `${code}-first\r\n${code}-\r\n${text}`,
    `${code}-${'x'.repeat(Math.floor(chance.next() * 3_000))}\r\n${text}`,
    `${code} ${words}\n`,
    `${code}-${words}\n${code} ${words}\r\n`,
    `${code} ${words} ${'long '.repeat(Math.floor(chance.next() * 400))}\r\n`,
    `${code} ${words} \u0000 \u00e9\u00ff\r\n`,
    `\r\n${text}`,
    `${text}\r\n`,
  ];
  return { text: pick(looks, chance.next()) ?? text, code };
}

const isMailVerb = (verb: Verb): boolean => verb === 'MAIL' || verb === 'RCPT' || verb === 'DATA' || verb === 'END' || verb === 'RSET';

/** One foul thing after another, by chance. @param right what a decent relay would say */
function foul(verb: Verb, right: Said, chance: Chance): Partial<Answer> {
  const n = chance.next();
  const said = (text: string): Said => ({ text, code: 0 });
  const extra = line(pick([250, 250, 354, 354, 450, 550, 221, 421], chance.next()) ?? 250, 'out of turn');
  const half: Said = { text: right.text.slice(0, Math.floor(chance.next() * (right.text.length - 1))), code: 0, cut: true };
  if (n < 0.16) return { said: [said(`${pick(GARBAGE, chance.next())}\r\n`)] };
  if (n < 0.18) return { said: [said(`250 ${'x'.repeat(70_000)}`)], after: 'silence' };
  if (n < 0.2) return { said: [said('250-and so on\r\n'.repeat(6_000))], after: 'silence' };
  if (n < 0.3) return { said: [], after: pick(['end', 'reset'], chance.next()) ?? 'end' };
  if (n < 0.4) return { said: [half], after: pick(['end', 'reset', 'silence'], chance.next()) ?? 'end' };
  if (n < 0.5) return { said: [right], after: pick(['end', 'reset'], chance.next()) ?? 'end', code: right.code };
  if (n < 0.56) return { said: [], after: pick(['silence', 'deaf'], chance.next()) ?? 'silence' };
  if (n < 0.6) return { said: [right], after: pick(['silence', 'deaf'], chance.next()) ?? 'silence', code: right.code };
  if (n < 0.68) return { said: [line(421, '4.3.2 Goodbye')], code: 421, after: pick(['end', 'reset', 'go on', 'silence'], chance.next()) ?? 'end' };
  if (n < 0.76) return { said: [right, extra], inPhase: false, code: right.code };
  if (n < 0.82) return { said: [extra, right], inPhase: false, code: right.code };
  if (n < 0.9) return { said: [], inPhase: false, code: right.code };
  if (n < 0.95 || !isMailVerb(verb)) return { said: [line(354, 'Go on')], inPhase: verb === 'DATA', code: verb === 'DATA' ? 354 : 0 };
  return { said: [line(250, 'Ok: queued as GHOST')], inPhase: verb !== 'DATA', code: 250 };
}

/** @param right what a decent relay would say; @param tag shows up in a refusal, so that it is seen whose it is */
export function answerTo(verb: Verb, right: Said, tag: number, temper: Temper, chance: Chance): Answer {
  const pauseMs = chance.next() < 0.08 ? Math.floor(chance.next() * 12) : 0;
  const plain = { pauseMs, after: 'go on', fair: true, inPhase: true, code: right.code } as const;
  if (chance.next() < temper.foul) return { ...plain, fair: false, code: 0, said: [], ...foul(verb, right, chance) };
  if (right.code < 400 && chance.next() < (verb === 'END' ? temper.refuses * 2 : temper.refuses)) {
    const code = pick(REFUSALS, chance.next()) ?? 450;
    const refusal = line(code, chance.next() < 0.7 ? `${String(code)[0]}.9.${tag} no` : 'no');
    // Whoever is told 421, or no to a RSET, begins anew with another connection.
    return { ...plain, code, fair: code !== 421 && verb !== 'RSET', said: [dressed(refusal, chance)] };
  }
  const other = right.code === 250 && verb !== 'EHLO' && chance.next() < 0.1 ? pick(OTHER_2YZ, chance.next()) : undefined;
  const said = other ? { text: `${other}${right.text.slice(3)}`, code: other } : right;
  return { ...plain, code: said.code, said: [verb === 'EHLO' || verb === 'STARTTLS' ? said : dressed(said, chance)] };
}
