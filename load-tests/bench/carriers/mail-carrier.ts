import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram, startNode, startProgram } from '#bench/processes.ts';
import { freePort } from '#platform/free-port.ts';
import { until } from '#testing/until.ts';
import { readFrom } from './read-from.ts';

/** The mail relay on loopback: takes everything and throws it away. */
export interface MailCarrier {
  readonly kind: string;
  readonly port: number;
  /** Messages taken since the start, by the carrier's own count. */
  count(): Promise<number>;
}

/**
 * Starts Postfix's smtp-sink where it is installed. Elsewhere a Node process gives the same replies.
 * @param plain takes the Node process although smtp-sink is installed
 */
export async function startMailCarrier(folder: string, plain: boolean, note: (line: string) => void): Promise<MailCarrier> {
  const port = await freePort();
  const counter = join(folder, 'mail-count');
  const stdout = openSync(counter, 'a');
  const sink = plain ? undefined : findProgram('smtp-sink');
  const logFile = join(folder, 'carrier.log');
  if (sink === undefined) {
    note(
      `${plain ? 'smtp-sink was left out' : 'smtp-sink (Postfix) is not installed'}: the mail relay is a Node process, which takes more of the machine than that would`,
    );
    startNode('load-tests/bench/carriers/mail-main.ts', [String(port), counter], { logFile });
  } else {
    // -c prints a running counter on stdout; -u is required of root.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    startProgram(sink, [...user, '-c', `127.0.0.1:${port}`, '512'], { logFile, stdout, marker: `127.0.0.1:${port}` });
  }
  closeSync(stdout);
  await until(() => accepts(port), 10_000, 'the mail carrier does not answer');
  return {
    kind: sink === undefined ? `node ${process.version}` : 'smtp-sink (Postfix)',
    port,
    count: async () => {
      // The counter's line of the last message may not have been written yet.
      await delay(50);
      return lastCount(counter);
    },
  };
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });

/** `sess=1 quit=0 mesg=3` is written again and again; the last one counts. */
const lastCount = (file: string): number => Number([...readFrom(file, -200).matchAll(/mesg=(\d+)\r/g)].at(-1)?.[1] ?? 0);
