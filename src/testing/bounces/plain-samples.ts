import { type BounceSample, plain } from './sample.ts';
import { SERVER_SAMPLES } from './server-samples.ts';

const LANGUAGES: readonly BounceSample[] = [
  {
    name: 'German',
    mail: plain(
      'postmaster@example.de',
      'Unzustellbar: Flood',
      ['Ihre Nachricht konnte nicht zugestellt werden.', '', 'ana@example.de: Empfänger unbekannt'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed gone',
  },
  {
    name: 'German: full',
    mail: plain(
      'postmaster@example.de',
      'Unzustellbar: Flood',
      ['Die Zustellung an ana@example.de ist fehlgeschlagen: Das Postfach ist voll (5.2.2).'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed 5.2.2',
  },
  {
    name: 'German: delayed',
    mail: plain(
      'postmaster@example.de',
      'Verzögert: Flood',
      ['Ihre Nachricht wurde noch nicht zugestellt. Es wird weiter versucht.'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'delayed',
  },
  {
    name: 'French',
    mail: plain(
      'postmaster@example.fr',
      'Non remis : Flood',
      ["Votre message n'a pas pu être remis.", '', "ana@example.fr : cette adresse n'existe pas"],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed gone',
  },
  {
    name: 'Spanish',
    mail: plain(
      'postmaster@example.es',
      'No se puede entregar: Flood',
      ['No se ha podido entregar su mensaje.', '', 'ana@example.es: 550 usuario desconocido'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed 550 gone',
  },
  {
    name: 'Italian',
    mail: plain(
      'postmaster@example.it',
      'Mancato recapito',
      ['Non è stato possibile recapitare il messaggio.', '', 'ana@example.it: la casella non esiste'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed gone',
  },
  {
    name: 'Portuguese',
    mail: plain(
      'postmaster@example.pt',
      'Falha na entrega',
      ['A mensagem não pôde ser entregue.', '', 'ana@example.pt: 5.1.1 utilizador desconhecido'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed 5.1.1 gone',
  },
  {
    name: 'Dutch',
    mail: plain(
      'postmaster@example.nl',
      'Onbestelbaar: Flood',
      ['Uw bericht kon niet worden bezorgd.', '', 'ana@example.nl: het adres bestaat niet'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed gone',
  },
  {
    name: 'Polish',
    mail: plain(
      'postmaster@example.pl',
      'Nie można dostarczyć wiadomości',
      ['ana@example.pl: skrzynka nie istnieje'],
      ['Content-Type: text/plain; charset=utf-8', 'MIME-Version: 1.0'],
    ),
    expects: 'failed gone',
  },
  {
    name: 'Russian',
    mail: plain(
      'postmaster@example.ru',
      'Недоставленное сообщение',
      ['Сообщение не было доставлено.', '', 'ana@example.ru: 550 пользователь не найден'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed 550 gone',
  },
  {
    name: 'Japanese',
    mail: plain(
      'postmaster@example.jp',
      'メールを配信できません',
      ['宛先のアドレスが存在しません。', '550 5.1.1'],
      ['Content-Type: text/plain; charset=utf-8'],
    ),
    expects: 'failed 5.1.1 gone',
  },
  {
    name: 'English, of a server that is none of the known',
    mail: plain('postmaster@gate.example', 'Mail System Error - Returned Mail', ['The message below was refused: 550 Mailbox unavailable']),
    expects: 'failed 550',
  },
];

/** What comes to a return path and is no bounce, or is none that can be read. */
const OTHERS: readonly BounceSample[] = [
  {
    name: 'out of office',
    mail: plain(
      'ana@example.net',
      'Out of office: Flood',
      ['I am away until Monday. Mail to my old address could not be delivered since May: 550 5.1.1'],
      ['Auto-Submitted: auto-replied'],
    ),
    expects: 'none',
  },
  { name: 'out of office without the header', mail: plain('ana@example.net', 'Automatic reply: Flood', ['I am away.']), expects: 'none' },
  { name: 'out of office by its precedence', mail: plain('ana@example.net', 'Re: Flood', ['Bin nicht da.'], ['Precedence: auto_reply']), expects: 'none' },
  { name: 'out of office in German', mail: plain('ana@example.de', 'Abwesenheitsnotiz', ['Bin im Urlaub.']), expects: 'none' },
  { name: 'out of office in French', mail: plain('ana@example.fr', '=?utf-8?Q?R=C3=A9ponse_automatique_:_Flood?=', ['Absente.']), expects: 'none' },
  {
    name: 'a ticket system',
    mail: plain('help@example.net', '[#123] We have received your request', ['Thank you.'], ['Auto-Submitted: auto-generated', 'Precedence: bulk']),
    expects: 'none',
  },
  {
    name: 'out of office of a postmaster',
    mail: plain('postmaster@example.net', 'Automatic reply: Flood', ['The postmaster is away.'], ['Auto-Submitted: auto-replied']),
    expects: 'none',
  },
  { name: 'a person who answers', mail: plain('ana@example.net', 'Re: Flood', ['I come. The road could not be delivered from water.']), expects: 'unread' },
  { name: 'a person who writes like a report', mail: plain('ana@example.net', 'Hello', ['Action: failed', 'Status: 5.1.1']), expects: 'unread' },
  { name: 'a server with words of its own', mail: plain('postmaster@gate.example', 'Notice', ['The item was returned to its origin.']), expects: 'unread' },
  {
    name: 'a question whether we are a person',
    mail: plain('guard@example.net', 'Please confirm your message', ['Click here so that your mail is let through.']),
    expects: 'unread',
  },
  { name: 'nothing', mail: '', expects: 'unread' },
  { name: 'no mail at all', mail: '\0\xff\xfe--=_\r\n'.repeat(10), expects: 'unread' },
];

export const PLAIN_SAMPLES: Readonly<Record<string, readonly BounceSample[]>> = { servers: SERVER_SAMPLES, languages: LANGUAGES, 'no bounces': OTHERS };
