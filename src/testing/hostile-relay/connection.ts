import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Chance } from '#simulator/chance.ts';
import type { Heard, Ledger } from './ledger.ts';
import { type Answer, answerTo, type Said, type Temper, type Verb } from './mischief.ts';
import { Wire } from './wire.ts';

export interface RelayOptions {
  readonly temper: Temper;
  readonly pipelining: number;
  /** Offers STARTTLS with it. */
  readonly certificate?: { readonly key: string; readonly cert: string } | undefined;
  readonly login: boolean;
}

const VERBS: readonly string[] = ['EHLO', 'HELO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'RSET', 'QUIT'];
const HANDSHAKE: ReadonlySet<Verb> = new Set(['greeting', 'EHLO', 'HELO', 'STARTTLS', 'AUTH']);
const reply = (code: number, text: string): Said => ({ text: `${code} ${text}\r\n`, code });

/** Its own number of the mail is in each of its addresses: `p<n>@`, and at the end of what stands before `@` elsewhere. */
const mailOf = (text: string): string => String(Number(/(\d+)(?:@|$)/.exec(text)?.[1] ?? -1));

/** One connection of a relay that keeps its side of SMTP as badly as chance will have it, and books what it reads. */
export class HostileConnection {
  readonly #socket: Socket;
  readonly #wire: Wire;
  readonly #chance: Chance;
  readonly #options: RelayOptions;
  readonly #ledger: Ledger;
  readonly #number: number;
  readonly #heard: Heard;
  #pipelining = false;
  #secure = false;
  #rest = '';
  #body: string[] | undefined;
  #positions = 0;
  #from: string | undefined;
  #to: string | undefined;
  /** A transaction is open, though perhaps nobody's. */
  #open = false;

  constructor(socket: Socket, chance: Chance, options: RelayOptions, ledger: Ledger) {
    this.#socket = socket;
    this.#chance = chance;
    this.#options = options;
    this.#ledger = ledger;
    this.#number = ledger.connections.length;
    this.#wire = new Wire(socket, chance);
    this.#heard = { codes: this.#wire.codes, fair: true, inPhase: true, countable: true, stalled: false, lines: [] };
    ledger.connections.push(this.#heard);
    socket.setNoDelay(true);
    socket.on('data', this.#onData);
    this.#answer('greeting', reply(220, 'hostile ESMTP'));
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#rest += chunk.toString('latin1');
    for (let end = this.#rest.indexOf('\n'); end >= 0; end = this.#rest.indexOf('\n')) {
      const line = this.#rest.slice(0, end + 1);
      this.#rest = this.#rest.slice(end + 1);
      if (!line.endsWith('\r\n') || line.slice(0, -2).includes('\r')) this.#complain(`a lone CR or LF in ${JSON.stringify(line)}`);
      const inBody = this.#body !== undefined;
      this.#onLine(line.slice(0, -2));
      if (!this.#pipelining && !inBody && this.#rest !== '' && this.#body === undefined) this.#complain(`did not wait for the answer to ${line.trim()}`);
    }
  };

  /** Once a relay has spoken out of turn, nobody can tell what its client is at. */
  #complain(what: string): void {
    if (this.#heard.inPhase) this.#ledger.broken.push(`connection ${this.#number}: ${what}`);
  }

  #onLine(line: string): void {
    if (this.#body) {
      if (line !== '.') return void this.#body.push(line);
      return this.#onDot(this.#body);
    }
    this.#heard.lines.push(`> ${line}`);
    const word = line.split(/[ :]/, 1)[0] ?? '';
    const verb = (VERBS.includes(word) ? word : 'other') as Verb;
    if (verb === 'MAIL') return this.#onMail(line);
    if (verb === 'RCPT') return this.#onRcpt(line);
    if (verb === 'DATA') return this.#onDataVerb();
    if (verb === 'EHLO') return this.#onEhlo();
    if (verb === 'STARTTLS') return this.#onStartTls();
    if (verb === 'RSET') this.#reset();
    const right: Partial<Record<Verb, Said>> = {
      HELO: reply(250, 'hostile'),
      AUTH: reply(235, 'Welcome'),
      RSET: reply(250, 'Flushed'),
      QUIT: reply(221, 'Bye'),
    };
    if (!right[verb]) this.#complain(`said ${line}`);
    this.#answer(verb, right[verb] ?? reply(500, 'What?'));
    if (verb === 'QUIT') this.#wire.add({ after: 'end' });
  }

  #reset(): void {
    this.#from = undefined;
    this.#to = undefined;
    this.#open = false;
  }

  #onEhlo(): void {
    const { certificate, login, pipelining } = this.#options;
    this.#reset();
    // Rolled anew after STARTTLS: what was offered before counts no more.
    this.#pipelining = this.#chance.next() < pipelining;
    const offers = [
      ...(this.#pipelining ? ['PIPELINING'] : []),
      ...(this.#chance.next() < 0.5 ? ['SIZE 10240000'] : []),
      ...(this.#chance.next() < 0.5 ? ['8BITMIME'] : []),
      ...(this.#chance.next() < 0.3 ? ['SMTPUTF8'] : []),
      ...(login ? ['AUTH PLAIN LOGIN'] : []),
      ...(certificate && !this.#secure ? ['STARTTLS'] : []),
      'HELP',
    ];
    const text = ['hostile', ...offers].map((offer, i) => `250${i === offers.length ? ' ' : '-'}${offer}\r\n`).join('');
    const { code } = this.#answer('EHLO', { text, code: 250 });
    if (code !== 250) this.#pipelining = false;
  }

  #onStartTls(): void {
    const { certificate } = this.#options;
    const { fair, code } = this.#answer('STARTTLS', reply(220, 'Go ahead'));
    // nodemailer goes ahead at any word that begins with a 2: what follows is no SMTP.
    this.#heard.inPhase &&= fair;
    if (certificate && code === 220) this.#wire.add({ run: () => this.#secureBy(certificate) });
  }

  #secureBy(certificate: { readonly key: string; readonly cert: string }): void {
    this.#socket.removeListener('data', this.#onData);
    this.#rest = '';
    if (this.#socket.destroyed) return;
    const secured = new TLSSocket(this.#socket, { isServer: true, key: certificate.key, cert: certificate.cert });
    secured.on('error', () => {}).on('data', this.#onData);
    this.#secure = true;
    this.#wire.use(secured);
  }

  #onMail(line: string): void {
    if (this.#open) this.#complain('MAIL inside a transaction');
    const { code } = this.#answer('MAIL', reply(250, '2.1.0 Ok'), mailOf(line));
    this.#reset();
    if (code < 200 || code > 299) return;
    this.#open = true;
    this.#from = mailOf(line);
  }

  #onRcpt(line: string): void {
    const mail = mailOf(line);
    if (this.#from === undefined) return void this.#answer('RCPT', reply(503, '5.5.1 MAIL first'), mail);
    if (this.#from !== mail) this.#complain(`MAIL of ${this.#from} with RCPT of ${mail}`);
    const { code } = this.#answer('RCPT', reply(250, '2.1.5 Ok'), mail);
    if (code >= 200 && code < 300) this.#to = mail;
  }

  #onDataVerb(): void {
    const mail = this.#to ?? this.#from;
    // RFC 2920 section 3.1 allows both to a relay that has no recipient.
    const willing = this.#to !== undefined || (this.#from !== undefined && this.#chance.next() < 0.5);
    const { code } = this.#answer('DATA', willing ? reply(354, 'Go on') : reply(554, '5.5.1 No valid recipients'), mail);
    if (code === 354) this.#body = [];
  }

  #onDot(body: readonly string[]): void {
    this.#body = undefined;
    const mail = this.#to;
    const id = body.find((line) => line.startsWith('Message-ID:'));
    this.#heard.lines.push(`> (${body.length} lines and the dot of ${mail ?? 'nobody'})`);
    if (mail === undefined) {
      if (body.length > 0) this.#complain('a body for nobody');
      this.#answer('END', reply(554, '5.5.1 No valid recipients'), this.#from);
    } else {
      if (mailOf(id ?? '') !== mail) this.#complain(`the body ${id ?? 'of nobody'} for ${mail}`);
      if (!body.at(-1)?.endsWith('--')) this.#complain(`a body that is cut off, for ${mail}`);
      const position = this.#positions;
      const { code } = this.#answer('END', reply(250, `2.0.0 Ok: queued as MAIL-${mail}`), mail);
      // A lone dot is how a client ends a DATA that it has no recipient for (RFC 2920 section 3.1): no mail.
      if (body.length > 0) this.#ledger.taken.push({ mail, connection: this.#number, position, code });
    }
    this.#reset();
  }

  #answer(verb: Verb, right: Said, mail?: string): Answer {
    this.#positions++;
    const answer = answerTo(verb, right, Number(mail ?? 0), this.#options.temper, this.#chance);
    const { said, after, pauseMs, fair, inPhase, code } = answer;
    this.#heard.fair &&= fair;
    this.#heard.inPhase &&= inPhase;
    this.#heard.stalled ||= !inPhase || after === 'silence' || after === 'deaf';
    // Words too many may be swallowed by the greeting's reader, or may not.
    this.#heard.countable &&= inPhase || !HANDSHAKE.has(verb);
    for (const one of said) this.#heard.lines.push(`< ${JSON.stringify(one.text.slice(0, 80))}`);
    if (after !== 'go on') this.#heard.lines.push(`< (${after})`);
    if (mail !== undefined && verb !== 'END' && code >= 400 && !this.#ledger.refused.has(mail))
      this.#ledger.refused.set(mail, { text: said[0]?.text ?? '', connection: this.#number });
    this.#wire.add({ pauseMs }, ...said.map((one) => ({ said: one })), { after });
    return answer;
  }
}
