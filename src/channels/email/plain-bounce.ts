import { codeIn, readDeliveryStatus } from './dsn.ts';
import { mailboxGone } from './mailbox-gone.ts';
import { NONE, type Report, UNREAD } from './report.ts';

/** A reason stands at the beginning. */
const MOST_WORDS = 20_000;

export interface PlainMail {
  /** Lower-case name to value; of a repeated one the first. */
  readonly headers: ReadonlyMap<string, string>;
  readonly subject: string;
  /** Address in From. */
  readonly from: string;
  /** The body in words, whatever came. */
  readonly text: string;
}

/** Where the copy of our own message begins: what it says is no reason. */
const COPY =
  /^(?:[-_= \t>*]*(?:below this line is a copy of the message|this is a copy of (?:the|your) message|(?:the )?original message(?: headers| follows)?|message headers follow|unsent message follows|returned message follows|undelivered message|transcript of your message|ursprüngliche (?:nachricht|kopfzeilen)|message d'origine|mensaje original|messaggio originale)[-_= \t:.*]*$|(?:received|return-path|dkim-signature|mime-version|message-id): )/im;

/** What nobody but a mail server writes. `delayed` rows first: they hold half of the others' words. */
const PROSE: readonly { readonly kind: 'failed' | 'delayed' | 'none'; readonly words: RegExp }[] = [
  // Postfix and sendmail: "THIS IS A WARNING MESSAGE ONLY", "YOU DO NOT NEED TO RESEND YOUR MESSAGE"
  { kind: 'delayed', words: /\byou do not need to resend your message\b|\bthis is a warning (?:message )?only\b/i },
  // Exim: "has not yet been delivered to one or more of its recipients after more than 24 hours"
  { kind: 'delayed', words: /\bhas not yet been delivered to (?:one or more of its|all its|the following) recipients\b/i },
  // sendmail: "Warning: could not send message for past 4 hours", "Will keep trying until message is 5 days old"
  {
    kind: 'delayed',
    words: /\bwarning: (?:could not send message for past|message still undelivered)|\bwill (?:keep trying|be retried|retry for|continue to (?:try|attempt))/i,
  },
  // Exchange: "Delivery is delayed to these recipients or groups"
  { kind: 'delayed', words: /\bdelivery is delayed to these recipients\b|\bno further action is required on your part\b/i },
  // Gmail: "There was a temporary problem delivering your message", "Gmail will retry for 46 more hours"
  { kind: 'delayed', words: /\bdelivery to the following recipient has been delayed\b|\bwas a temporary problem delivering your message\b/i },
  // OpenSMTPD
  { kind: 'delayed', words: /\ba message is delayed for more than\b/i },
  // Other languages
  {
    kind: 'delayed',
    words:
      /\b(?:zustellung (?:wurde |ist |hat sich )?verzögert|noch nicht zugestellt|n'a pas encore été (?:remis|distribué)|aún no se ha entregado|non è stato ancora (?:consegnato|recapitato)|nog niet bezorgd)/i,
  },
  // qmail (QSBMF), and what is built on it
  { kind: 'failed', words: /^\s*hi\. this is the [\w-]+(?: \w+)* program\b/i },
  {
    kind: 'failed',
    words: /\bi(?:'m| am) afraid i wasn't able to deliver your message\b|\bi wasn't able to deliver your message to the following addresses\b/i,
  },
  // Exim: "This message was created automatically by mail delivery software."
  { kind: 'failed', words: /\bthis message was created automatically by (?:the )?mail (?:delivery|transport) (?:software|agent|system)\b/i },
  // Postfix: "This is the mail system at host", older "This is the Postfix program at host"
  { kind: 'failed', words: /\bthis is the (?:mail system|postfix program) at host\b/i },
  // sendmail and its like
  { kind: 'failed', words: /-{3,} ?the following addresses had (?:permanent|transient)[\w -]* errors ?-{3,}|-{3,} ?transcript of session follows ?-{3,}/i },
  // Exchange and Outlook
  {
    kind: 'failed',
    words:
      /\bdelivery has failed to these recipients\b|\bdid not reach (?:some or all of )?the (?:following|intended) recipient|\bfollowing recipient\(s\) (?:cannot|could not) be reached\b/i,
  },
  // Gmail: "Delivery to the following recipient failed permanently", "Your message wasn't delivered to … because"
  {
    kind: 'failed',
    words: /\bdelivery to the following recipients? failed\b|\byour message (?:wasn't|was not|couldn't be|could not be) delivered (?:to|because)\b/i,
  },
  // Yahoo, iCloud, Courier, Groupwise, Notes, OpenSMTPD, MDaemon and whoever wrote plainly
  {
    kind: 'failed',
    words:
      /\b(?:sorry, )?we(?:'re| are| were) (?:sorry|unable to deliver your (?:message|e-?mail))\b[^]{0,80}\bdeliver|\bunable to deliver (?:your|the|this) (?:message|e-?mail)\b/i,
  },
  {
    kind: 'failed',
    words:
      /\bemail could not be delivered to one or more recipients\b|\byour message to the following recipients cannot be delivered\b|\bmessage that you sent was undeliverable\b/i,
  },
  { kind: 'failed', words: /(?:^|\n)[ \t]*your (?:document|message):?[^]{0,200}\bwas not delivered to:[^]{0,200}\bbecause\b/im },
  { kind: 'failed', words: /\berror has occurred while attempting to deliver a message\b|\bthe attached message had permanent fatal delivery errors\b/i },
];

/** Said by a mail server in its own name it is a failure; by anybody else it may be a person's words. */
const FAILED_WORDS =
  /undeliver(?:able|ed)|(?:could|can) ?not be delivered|(?:couldn't|can't) be delivered|delivery (?:status notification \(failure\)|(?:has )?failed|failure|error|unsuccessful)|failure notice|returned (?:to sender|mail)|mail (?:delivery failed|system error)|non-?deliver(?:y|able)|unzustellbar|nicht zugestellt werden|zustellung fehlgeschlagen|n'a pas pu être (?:remis|distribué|délivré|livré)|échec de (?:la )?(?:remise|distribution)|non remis|no se (?:ha )?p(?:udo|odido) entregar|no entregado|devuelto|non è stato possibile (?:recapitare|consegnare)|mancat[oa] (?:recapito|consegna)|impossibile recapitare|não (?:pôde|foi possível) (?:ser )?(?:entregue|entregar)|falha na entrega|niet (?:worden )?(?:bezorgd|afgeleverd)|onbestelbaar|kunde inte levereras|kunne ikke leveres|nie można dostarczyć|nie została dostarczona|nelze doručit|nedoručiteln|kézbesíthetetlen|teslim edilemedi|не (?:было |был |может быть |удалось )?доставлен|недоставлен|не удалось доставить|配信できません|配信不能|送信できません|无法投递|退信/i;

/** RFC 2142 and what mail servers call themselves. */
const SERVER =
  /^(?:mailer-?daemon|mail-?daemon|mdaemon|postmaster|postmaster-.*|bounces?|mailerdaemon|microsoftexchange[0-9a-f]{32}|daemon)@|^(?:mailer-daemon|postmaster)$/i;

/** RFC 3834 section 5 and its forerunners, and what programmes that answer for people put above their words. */
const AUTO_HEADERS: readonly (readonly [string, RegExp])[] = [
  ['auto-submitted', /^auto-(?:replied|generated|notified)/i],
  ['precedence', /^(?:auto[_-]?reply|bulk|junk)/i],
  ['x-autoreply', /^(?!no).+/i],
  ['x-autorespond', /^(?!no).+/i],
  ['x-auto-response-suppress', /./],
  ['x-autoreply-from', /./],
  ['x-mail-autoreply', /./],
];
const AUTO_SUBJECT =
  /^(?:re: |aw: |sv: |antw: )*(?:out of (?:the )?office|automatic reply|auto(?:matic)?[ -]?(?:reply|response|responder)|away from|vacation|on holiday|i am away|abwesenheit|automatische antwort|ich bin .*(?:abwesend|urlaub)|réponse automatique|absence|respuesta automática|fuera de (?:la )?oficina|risposta automatica|fuori sede|resposta automática|afwezig|automatisch antwoord|frånvaro|automatiskt svar|autosvar|automaattinen vastaus|autoodpowiedź|автоматический ответ|自動応答|自动回复)/i;

const isAutomatic = ({ headers, subject }: PlainMail): boolean =>
  AUTO_SUBJECT.test(subject) || AUTO_HEADERS.some(([name, value]) => value.test(headers.get(name) ?? ''));

function kindOf(mail: PlainMail, words: string): 'failed' | 'delayed' | 'none' | undefined {
  const row = PROSE.find((one) => one.words.test(words));
  if (row) return row.kind;
  // Exim and Gmail name the people there.
  if (mail.headers.has('x-failed-recipients')) return 'failed';
  if (!SERVER.test(mail.from)) return isAutomatic(mail) ? 'none' : undefined;
  return FAILED_WORDS.test(mail.subject) || FAILED_WORDS.test(words) ? 'failed' : isAutomatic(mail) ? 'none' : undefined;
}

/** Given up because nothing answered in time. */
const EXPIRED =
  /\b(?:too long in the queue|in the queue too long|retry time(?:out)? (?:not reached|exceeded)|retry timeout exceeded|could not (?:send|be delivered) for \d|for (?:too long|\d+ (?:hours|days))|message (?:has )?expired|delivery (?:time )?expired|will be deleted from queue)\b/i;

/** A sentence goes on in the next line; a paragraph does not. */
const joined = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .replace(/\n(?!\n)/g, ' ');

/**
 * What a bounce without a delivery status says: X-Failed-Recipients, qmail's, Exim's, sendmail's and Exchange's words, and what a server's
 * words in other languages have in common. A copy of our own message in it counts for nothing.
 */
export function readPlainBounce(mail: PlainMail): Report {
  const begin = mail.text.slice(0, MOST_WORDS);
  const lines = begin.slice(0, COPY.exec(begin)?.index);
  // Some gateways make one text of all parts.
  const inline = /^final-recipient[ \t]*:/im.test(lines) && /^action[ \t]*:/im.test(lines) ? readDeliveryStatus(lines) : undefined;
  if (inline) return inline;
  const words = joined(lines);
  const kind = kindOf(mail, words);
  if (kind === undefined) return UNREAD;
  if (kind === 'none') return NONE;
  const code = codeIn(words) ?? codeIn(mail.subject) ?? null;
  if (kind === 'delayed') return { kind, permanent: false, mailboxGone: false, code };
  const passing = code === null ? EXPIRED.test(words) : code.startsWith('4');
  const status = code?.includes('.') ? code : undefined;
  return { kind, permanent: !passing, mailboxGone: !passing && mailboxGone(status, words), code };
}
