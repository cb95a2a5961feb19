import type { InboundText } from '#domain/delivery/hook.ts';
import { type ParsedAnswer, parseAnswerText } from '#domain/inbound/answer-text.ts';
import { clockOf, instantOfClock, knownZone } from '#domain/clock-time.ts';
import { inboundWords } from '#domain/inbound/inbound-words.ts';
import { type Keyword, keywordOf } from '#domain/inbound/keywords.ts';
import { nameInSms } from '#domain/inbound/name-in-sms.ts';
import { answerHint } from '#render/render-message.ts';
import type { InboundTextsTable } from '#schemas/database.ts';
import type { InboundFacts, InboundMessage } from './inbound-facts.ts';

/** What is to be done about one inbound text. The decision is pure: it reads facts, decides, and does nothing. */
export interface InboundDecision {
  readonly outcome: InboundTextsTable['outcome'];
  readonly needsHuman: boolean;
  readonly reply: string;
  readonly answer: { readonly key: string; readonly etaAt: Date | undefined; readonly note: string | undefined } | null;
  /** The code that follows the word JOIN. */
  readonly joinCode: string | null;
}

const JOIN = /^\s*join[\s:]+([0-9a-z][0-9a-z\s-]{6,40})\s*$/i;

export function decideInbound(facts: InboundFacts, text: Pick<InboundText, 'body' | 'byCarrier'>, now: number): InboundDecision {
  const words = inboundWords(facts.locale);
  const base = { needsHuman: false, reply: '', answer: null, joinCode: null };
  const open = facts.message?.open ? facts.message : null;
  const handled = text.byCarrier !== undefined;
  let keyword: Keyword = text.byCarrier ?? keywordOf(text.body);
  if (keyword === 'yes') keyword = open === null && facts.stopped ? 'start' : null;
  if (keyword === 'stop' || keyword === 'start' || keyword === 'help') {
    const said = keyword === 'help' ? words.help : keyword === 'stop' ? words.stopped : words.started;
    const reply = !handled && (keyword === 'help' || facts.confirmsStop) ? said(facts.tenantName) : '';
    // In "Reply 1 SAFE or 2 HELP" the word is reserved and also an answer of this message; both are honoured.
    const word = text.body.trim().toLowerCase();
    const option = keyword === 'help' ? open?.answers.find((o) => o.key === word || o.label.toLowerCase() === word) : undefined;
    return {
      ...base,
      outcome: keyword,
      reply,
      needsHuman: open?.class === 'life' || option !== undefined,
      answer: option ? { key: option.key, etaAt: undefined, note: undefined } : null,
    };
  }
  const join = JOIN.exec(text.body);
  if (join?.[1]) return { ...base, outcome: 'join', joinCode: join[1] };
  if (!facts.message) return { ...base, outcome: 'unmatched', needsHuman: true };
  const parsed = parseAnswerText(text.body, facts.message.answers);
  if (parsed.kind === 'answer' && keyword !== 'near_stop') return { ...base, ...answered(facts, facts.message, parsed, now) };
  if (!facts.message.open) return { ...base, outcome: 'late', needsHuman: true, reply: replyAfterEnd(facts, facts.message, 'lateUnread') };
  return { ...base, outcome: 'unclear', needsHuman: true, reply: unread(facts, facts.message, keyword) };
}

/** Names the message whose options are told, since a person who has had two would not know which is meant. */
function unread(facts: InboundFacts, message: InboundMessage, keyword: Keyword): string {
  const words = inboundWords(facts.locale);
  if (keyword === 'near_stop') return withDrillPrefix(message, words.nearStop);
  if (message.answers.length === 0) return '';
  const hint = answerHint(message.answers);
  return nameInSms(message.name, (name) => withDrillPrefix(message, words.unclear(hint, name)));
}

/** Names the message too, since a person who answers late has perhaps had others since. */
export function replyAfterEnd({ locale, tenantName }: InboundFacts, message: InboundMessage, which: 'late' | 'lateUnread'): string {
  const say = inboundWords(locale)[which];
  return nameInSms(message.name, (name) => withDrillPrefix(message, say(tenantName, name)));
}

/** Whatever a drill says starts with the drill mark in every channel, replies too. */
const withDrillPrefix = (message: InboundMessage, text: string): string => (message.drill ? `EXERCISE ${text}` : text);

function answered(
  facts: InboundFacts,
  message: InboundMessage,
  parsed: ParsedAnswer & { kind: 'answer' },
  now: number,
): Pick<InboundDecision, 'outcome' | 'reply' | 'answer' | 'needsHuman'> {
  const words = inboundWords(facts.locale);
  const zone = knownZone(facts.timeZone);
  const { etaMinutes, etaClock } = parsed;
  const byClock = etaClock === undefined ? undefined : instantOfClock(etaClock, now, zone);
  const at = etaMinutes === undefined ? byClock : now + etaMinutes * 60_000;
  // Where nobody knows the person's zone, minutes are echoed as minutes: a clock of another zone would read as a mistake.
  const asMinutes = etaMinutes !== undefined && facts.timeZone === null ? words.inMinutes(etaMinutes) : undefined;
  const when = at === undefined ? '' : (asMinutes ?? clockOf(at, zone));
  const name = /^\d+$/.test(parsed.key) ? (message.answers.find((o) => o.key === parsed.key)?.label ?? parsed.key) : parsed.key;
  const reply = message.open ? when && withDrillPrefix(message, words.noted(name, when)) : replyAfterEnd(facts, message, 'late');
  return {
    outcome: message.open ? 'answer' : 'late',
    reply,
    // A question inside an answer must reach somebody.
    needsHuman: parsed.note?.includes('?') ?? false,
    answer: { key: parsed.key, etaAt: at === undefined ? undefined : new Date(at), note: parsed.note ?? undefined },
  };
}
