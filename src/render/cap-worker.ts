import { parentPort, workerData } from 'node:worker_threads';
import { Problem } from '#platform/errors.ts';
import type { ThreadAnswer } from './cap-thread.ts';
import { parseGuarded } from './cap-xml.ts';

/** The work of the thread that parses one alert with very many tags. */
function answer(text: string): ThreadAnswer {
  try {
    return { parsed: parseGuarded(text) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const { status, code, message, errors, extra } = error;
    return { problem: { status, code, detail: message, errors, extra } };
  }
}

parentPort?.postMessage(answer(workerData as string));
