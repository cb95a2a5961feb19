import { type Logger, type LoggerOptions, pino } from 'pino';

export type Log = Logger;

/**
 * Structured logs. Only ids, counts and codes may be logged; the redaction list is the second line of defence
 * against an address, text or token that slips in.
 */
export function createLog(name: string, level: string): Log {
  const options: LoggerOptions = {
    name,
    level,
    base: { process: name },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: [
        'phone',
        'email',
        'address',
        'token',
        'body',
        'text',
        'authorization',
        'cookie',
        '*.phone',
        '*.email',
        '*.address',
        '*.token',
        '*.text',
        '*.authorization',
        '*.cookie',
      ],
      censor: '[redacted]',
    },
  };
  // At once, not in the background: what is left for the exit is tried for ever where nobody reads any more (sonic-boom
  // 4.2.1, flushSync), and a process whose supervisor was killed then never ended.
  return pino(options, pino.destination({ fd: 1, sync: true }));
}
