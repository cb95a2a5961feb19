import { Worker } from 'node:worker_threads';
import type { CapAlert } from '#domain/cap/cap-alert.ts';
import { type FieldError, Problem } from '#platform/errors.ts';

/** An alert, and whether it carries an XML signature. The signature is not verified, so it proves nothing here. */
export interface ParsedCap {
  alert: CapAlert;
  signed: boolean;
}

/** The thread's answer. A problem is sent as its fields, since errors lose their class on the way. */
export type ThreadAnswer =
  | { readonly parsed: ParsedCap }
  | { readonly problem: { status: number; code: string; detail: string; errors: readonly FieldError[]; extra: Record<string, unknown> } };

const LIMIT_MS = 2_000;
const ENTRY = new URL('./cap-worker.ts', import.meta.url);

/** The status is 503 and not 400, since a machine under load is no fault of the alert. */
const tooSlow = (): Problem =>
  new Problem(503, 'xml_too_slow', `The alert could not be read within ${LIMIT_MS} ms; send it again later.`, { extra: { retryAfterSeconds: 10 } });

let last: Promise<unknown> = Promise.resolve();

/**
 * Parses a text that `guardXml` let through, in a thread of its own that is ended after 2 s. Alerts are parsed one at a time,
 * since they are rare, and a flood of them must not take every core.
 * @throws Problem 400 as `parseGuarded` does; 503 `xml_too_slow`
 */
export function parseInThread(text: string): Promise<ParsedCap> {
  const turn = last.then(() => run(text));
  last = turn.catch(() => undefined);
  return turn;
}

async function run(text: string): Promise<ParsedCap> {
  const worker = new Worker(ENTRY, { workerData: text, resourceLimits: { maxOldGenerationSizeMb: 256 } });
  try {
    const answer = await new Promise<ThreadAnswer>((done, fail) => {
      const timer = setTimeout(() => fail(tooSlow()), LIMIT_MS);
      worker.once('message', (message: ThreadAnswer) => {
        clearTimeout(timer);
        done(message);
      });
      worker.once('error', (error: Error) => {
        clearTimeout(timer);
        fail(error);
      });
    });
    if ('parsed' in answer) return answer.parsed;
    const { status, code, detail, errors, extra } = answer.problem;
    throw new Problem(status, code, detail, { errors, extra });
  } finally {
    await worker.terminate();
  }
}
