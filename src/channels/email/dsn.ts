import { mailboxGone } from './mailbox-gone.ts';
import { NONE, type Report, UNREAD } from './report.ts';

/** RFC 3463 section 2. */
const STATUS = /(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\d|\.\d)/;

/** The enhanced status in the words of a server, if one is there; else its reply code. */
export function codeIn(words: string): string | undefined {
  return /(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?!\d|\.\d)/.exec(words)?.[0] ?? /(?<![\w.])(?:42[1-9]|4[57]\d|50[0-4]|5[2357]\d)(?![\w.])/.exec(words)?.[0];
}

/** The fields of one recipient are under a kilobyte. */
const MOST_FIELDS = 65_536;

type Fields = ReadonlyMap<string, string>;

/** Header-like blocks: the first is about the message, each further one about a recipient; lines may be folded. */
const blocks = (text: string): Fields[] =>
  text
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]+(?=\S)/g, ' ')
    .split(/\n[ \t]*(?:\n[ \t]*)+/)
    .map((block) => new Map([...block.matchAll(/^([\w-]+)[ \t]*:[ \t]*(.*)$/gm)].map(([, key = '', value = '']) => [key.toLowerCase(), value.trim()])))
    .filter((fields) => fields.size > 0);

/** RFC 3464 section 2.3.3. */
const ACTIONS = new Set(['failed', 'delayed', 'delivered', 'relayed', 'expanded']);

/** The action, or where a server leaves it out what its status amounts to. */
function actionOf(fields: Fields): string | undefined {
  const action = /^[a-z]+/i.exec(fields.get('action') ?? '')?.[0].toLowerCase();
  if (action !== undefined) return ACTIONS.has(action) ? action : 'unknown';
  const status = STATUS.exec(fields.get('status') ?? '')?.[0][0];
  return status === '5' ? 'failed' : status === '4' ? 'delayed' : undefined;
}

function failureOf(fields: Fields): Report {
  const words = (fields.get('diagnostic-code') ?? '').replace(/^[\w-]+;\s*/, '');
  const status = STATUS.exec(fields.get('status') ?? '')?.[0];
  const code = status ?? codeIn(words) ?? null;
  return { kind: 'failed', permanent: !code?.startsWith('4'), mailboxGone: mailboxGone(status, words), code };
}

/**
 * What a delivery status says (RFC 3464). The action decides what became of the mail, whatever the status is: a relay that gave up after
 * five days of time-outs says `failed` with a 4.y.z. Several recipients are an alias of ours: who has it at one of them has it, and while one
 * is still tried nothing is lost.
 * @returns undefined: it is no delivery status
 */
export function readDeliveryStatus(text: string): Report | undefined {
  const recipients = blocks(text.slice(0, MOST_FIELDS)).flatMap((fields) => {
    const action = fields.has('action') || fields.has('final-recipient') ? actionOf(fields) : undefined;
    return action === undefined ? [] : [{ action, fields }];
  });
  const of = (...actions: string[]) => recipients.find(({ action }) => actions.includes(action));
  if (of('delivered', 'relayed', 'expanded')) return NONE;
  const delayed = of('delayed');
  if (delayed) return { kind: 'delayed', permanent: false, mailboxGone: false, code: STATUS.exec(delayed.fields.get('status') ?? '')?.[0] ?? null };
  const failed = of('failed');
  if (failed) return failureOf(failed.fields);
  return of('unknown') && UNREAD;
}
