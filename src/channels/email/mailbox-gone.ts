import { isMailboxGone } from './codes.ts';

/**
 * Statuses that say no more than "refused" (RFC 3463 sections 3.1 to 3.6: x.y.0 is "other or undefined"), so that the
 * words beside them decide. 5.4.1 is "no answer from host" there, and at Microsoft 365 somebody who is not in the directory.
 */
const VAGUE = new Set(['5.0.0', '5.1.0', '5.2.0', '5.3.0', '5.4.1', '5.5.0']);

/** Whom, in the languages that mail servers speak. */
const WHOM =
  'user|mailbox|mail ?box|recipient|account|address(?:ee)?|alias|local part|person|benutzer|empfänger|empfaenger|postfach|adresse|konto|utilisateur|destinataire|bo[iî]te(?: aux lettres)?|compte|usuario|destinatario|buzón|buzon|dirección|direccion|cuenta|utente|casella|indirizzo|usuário|usuario|utilizador|destinatário|caixa|endereço|conta|gebruiker|ontvanger|postbus|adres|användare|användaren|mottagare|bruker|modtager|użytkownik|skrzynka|adresat|uživatel|schránka|felhasználó|kullanıcı';

/** In the same sentence; the point in a name ends none. */
const NEAR = String.raw`(?:[^.;\n]|\.(?=\S)){0,60}`;

/** What says that there is none such: one row a language, by words of common servers and providers. */
const GONE: readonly RegExp[] = [
  // English: "User unknown", "The email account that you tried to reach does not exist", "mailbox is disabled"
  new RegExp(
    `\\b(?:${WHOM})\\b${NEAR}\\b(?:unknown|not found|does ?n[o']t exist|does not exist|is not (?:known|valid|listed)|isn't (?:known|valid|listed)|not listed|no longer (?:exists?|valid|active|available|in use|accepts? (?:mail|messages))|(?:has been|is|was) (?:disabled|deactivated|deleted|closed|discontinued|suspended)|inactive|could ?n[o']t be found|could not be found|wasn't found|was not found)`,
    'i',
  ),
  // "No such user here", "Unknown local part", "Invalid recipient", "550 No mailbox here by that name"
  new RegExp(`\\b(?:no such|unknown|non-?existent|not a valid|no)(?: (?:virtual|local|e-?mail|mail))? (?:${WHOM})\\b(?! (?:access|was|is))`, 'i'),
  /\binvalid (?:recipient|mailbox|user|local part)\b/i,
  // Yahoo: "This user doesn't have a yahoo.com account"
  /\bdoes(?: not|n't) have an? [\w.-]+ account\b/i,
  // Exim: a domain without mail servers, or a local part that no router knows
  /\bunrout(?:e)?able address\b/i,
  // Microsoft 365: "Recipient address rejected: Access denied" is what its edge says of somebody who is not in the directory
  /\brecipient address rejected: access denied\b/i,
  // Gmail's page to senders: "Address not found"
  /\baddress not found\b/i,
  // German
  new RegExp(`(?:${WHOM})${NEAR}(?:unbekannt|existiert nicht|nicht (?:gefunden|vorhanden|bekannt)|gibt es nicht)|(?:unbekannte[rs]?|kein) (?:${WHOM})`, 'i'),
  // French
  new RegExp(`(?:${WHOM})${NEAR}(?:inconnue?|n['’ ]existe (?:pas|plus)|introuvable)`, 'i'),
  // Spanish, Italian, Portuguese
  new RegExp(
    `(?:${WHOM})${NEAR}(?:desconocid[oa]|no existe|no (?:se )?encontrad[oa]|inexistente|sconosciut[oa]|non esiste|non trovat[oa]|desconhecid[oa]|n[aã]o existe|n[aã]o encontrad[oa])`,
    'i',
  ),
  // Dutch, Swedish, Norwegian, Danish
  new RegExp(`(?:${WHOM})${NEAR}(?:onbekend|bestaat niet|niet gevonden|finns inte|okänd|finnes ikke|findes ikke|ukjent|ukendt)`, 'i'),
  // Polish, Czech, Hungarian, Turkish
  new RegExp(`(?:${WHOM})${NEAR}(?:nie istnieje|nieznany|neexistuje|nem létezik|ismeretlen|bulunamadı|mevcut değil)`, 'i'),
  // Russian, Ukrainian
  /(?:пользовател|получател|адрес|ящик|користувач)(?:[^.;\n]|\.(?=\S)){0,60}(?:не существует|не найден|неизвест|не існує|не знайден)/i,
  // Japanese, Chinese
  /(?:宛先|アドレス|ユーザ|メールボックス)[^。\n]{0,40}(?:存在しません|見つかりません|存在しない|不明)|(?:用户|用戶|邮箱|郵箱|收件人|地址)[^。\n]{0,20}(?:不存在|未找到)/,
];

/** Said beside any of the former it is about us, about now, or about a mailbox that is there. */
const NOT_GONE =
  /\b(?:spam|block(?:ed|list)|black ?list|reputation|polic(?:y|ies)|quota|over ?quota|full|rate|too (?:many|quickly|much)|dmarc|spf|dkim|relay(?:ing)?(?: access)? (?:denied|not permitted)|tempora(?:ry|rily)|try(?:ing)? again|later|grey ?list|voll|überfüllt|pleine?|llen[oa]|pien[oa]|cheia)\b/i;
/** "Mailbox disabled", unless it is only receiving too much: Gmail says 5.2.1 for both. */
const BUSY = /\brate\b|too (?:many|quickly)|quota|tempora/i;

const saysGone = (words: string): boolean => !NOT_GONE.test(words) && GONE.some((row) => row.test(words));

/**
 * Whether a failed delivery tells that its mailbox is gone for good. A status decides where it is exact: 5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10
 * and 5.2.1 (RFC 3463 sections 3.2 and 3.3 and the IANA registry; 5.2.1 as a class-5 status is a mailbox that will not be opened again).
 * Not 5.2.2 (full: the person is there), not 5.4.z (a relay without DNS says it of everybody), not 5.7.z (about us), and nothing of class 4,
 * whatever the words are: the relay gave up waiting and knows nothing of the mailbox.
 * @param status enhanced, where one was said
 * @param words of the server
 */
export function mailboxGone(status: string | undefined, words: string): boolean {
  if (status !== undefined && !status.startsWith('5')) return false;
  if (status === '5.2.1') return !BUSY.test(words);
  if (status !== undefined && isMailboxGone(status)) return true;
  if (status !== undefined && !VAGUE.has(status)) return false;
  // Some relays write a bare 5.0.0 and keep the exact code in what they heard.
  const exact = [...words.matchAll(/(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?!\d|\.\d)/g)].map(([code]) => code).filter((code) => !VAGUE.has(code));
  if (exact.length > 0) return exact.every((code) => mailboxGone(code, words));
  return !/(?<![\d.])4\d\d[ -]/.test(words) && saysGone(words);
}
