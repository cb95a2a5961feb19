import { type Logger, pino } from 'pino';

export type Log = Logger;

/**
 * Structured logs. Only ids, counts and codes may be logged; the redaction list is the second line of defence
 * against an address, text or token that slips in.
 */
export function createLog(name: string, level: string, pretty = false): Log {
  return pino({
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
    ...(pretty ? {} : {}),
  });
}
