import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { findProgram, startNode, startProgram } from '#bench/processes.ts';
import { freePort } from '#platform/free-port.ts';
import { writeCertificate } from '#testing/certificate.ts';
import { until } from '#testing/until.ts';
import type { CarrierPorts } from './carrier-ports.ts';
import { nginxConfig } from './nginx-config.ts';
import { readFrom } from './read-from.ts';

/** One call as the carrier saw it. */
export interface WitnessedCall {
  /** Arrival, milliseconds since the epoch. */
  readonly at: number;
  /**
   * Bytes of the request's body, as its header says: two messages with texts of different length can be told apart without
   * reading them.
   */
  readonly bytes: number;
}

/** The SMS provider and push service on loopback: answers 201 with an id of its own, in Twilio's shape. */
export interface HttpCarrier {
  readonly kind: string;
  /** Calls to this address are not written down. */
  readonly url: string;
  /** Each call to this address is written down. The path `/two` before the API's own makes the answer say "num_segments": "2". */
  readonly witnessUrl: string;
  /** The same behind TLS; undefined where no certificate could be made. */
  readonly tls: { readonly url: string; readonly certificate: string } | undefined;
  /** Requests answered since the start, by the carrier's own count. */
  count(): Promise<number>;
  /** Calls written down since the last time this was asked. */
  witnessed(): Promise<WitnessedCall[]>;
}

/**
 * Starts nginx where it is installed. Elsewhere a Node process gives the same answers, which costs more and is noted.
 * @param plain takes the Node process although nginx is installed
 */
export async function startHttpCarrier(folder: string, plain: boolean, note: (line: string) => void): Promise<HttpCarrier> {
  const ports: CarrierPorts = { fast: await freePort(), witness: await freePort(), tls: await freePort(), control: await freePort() };
  const tls = writeCertificate(folder);
  if (tls === undefined) note('openssl is not installed: push goes over plain HTTP, and web-push (HTTPS only) is not measured');
  const log = join(folder, 'witness.log');
  const nginx = plain ? undefined : findProgram('nginx');
  const logFile = join(folder, 'carrier.log');
  if (nginx === undefined) {
    note(
      `${plain ? 'nginx was left out' : 'nginx is not installed'}: the SMS and push carrier is a Node process, which takes more of the machine than nginx would`,
    );
    startNode('load-tests/bench/carriers/http-main.ts', [JSON.stringify({ ports, log, tls })], { logFile });
  } else {
    const config = join(folder, 'nginx.conf');
    // The worker process runs as nobody when we are root, and only its master opens logs and keys.
    chmodSync(folder, 0o755);
    writeFileSync(config, nginxConfig({ folder, ports, log, tls }));
    startProgram(nginx, ['-p', folder, '-c', config, '-e', logFile], { logFile, marker: config });
  }
  let asked = 0;
  const status = async (): Promise<number> => {
    const { body, statusCode } = await request(`http://127.0.0.1:${ports.control}/status`);
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`the carrier's status answers ${statusCode}`);
    asked += 1;
    return Number(/\n\s*\d+\s+\d+\s+(\d+)/.exec(text)?.[1]) - asked;
  };
  await until(
    () =>
      status().then(
        () => true,
        () => false,
      ),
    10_000,
    'the HTTP carrier does not answer',
  );
  let seen = 0;
  return {
    kind: nginx === undefined ? `node ${process.version}` : `nginx ${versionOf(nginx)}`,
    url: `http://127.0.0.1:${ports.fast}`,
    witnessUrl: `http://127.0.0.1:${ports.witness}`,
    tls: tls && { url: `https://127.0.0.1:${ports.tls}`, certificate: tls.certFile },
    count: status,
    witnessed: async () => {
      // nginx flushes its log every 100 ms at the latest. A flush may end within a line, but not 300 ms after the last call.
      await delay(300);
      const fresh = readFrom(log, seen);
      seen += fresh.length;
      return fresh.split('\n').flatMap((line) => {
        const [end, took, length] = line.split(' ');
        return length === undefined ? [] : [{ at: Number(end) * 1000 - Number(took) * 1000, bytes: Number(length) }];
      });
    },
  };
}

const versionOf = (nginx: string): string => /nginx\/([\d.]+)/.exec(spawnSync(nginx, ['-v'], { encoding: 'utf8' }).stderr)?.[1] ?? '';
