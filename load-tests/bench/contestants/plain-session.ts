import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection, { type SMTPEnvelope } from 'nodemailer/lib/smtp-connection';

/** The message as the stream that nodemailer wants; it is held back until its final dot is written too. */
class Body extends Readable {
  readonly #message: string;
  readonly #socket: Socket | false | null;

  constructor(message: string, socket: Socket | false | null) {
    super();
    this.#message = message;
    this.#socket = socket;
  }

  override _read(): void {}

  override pipe<T extends NodeJS.WritableStream>(destination: T): T {
    const socket = this.#socket || undefined;
    socket?.cork();
    destination.once('end', () => socket?.uncork());
    destination.end(this.#message);
    return destination;
  }
}

/** One connection of nodemailer's own SMTPConnection to the relay on loopback. */
export class PlainSession {
  readonly #connection: SMTPConnection;

  private constructor(connection: SMTPConnection) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<PlainSession> {
    const connection = new SMTPConnection({ host: '127.0.0.1', port, ignoreTLS: true, logger: false });
    await new Promise<void>((done, fail) => {
      connection.once('error', fail);
      connection.connect((error) => (error ? fail(error) : done()));
    });
    return new PlainSession(connection);
  }

  send(envelope: SMTPEnvelope, message: string): Promise<void> {
    const body = new Body(message, this.#connection._socket);
    return new Promise((done, fail) => this.#connection.send(envelope, body, (error) => (error ? fail(error) : done())));
  }

  close(): void {
    this.#connection.close();
  }
}
