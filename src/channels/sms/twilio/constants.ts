/** The time that one call may take, whatever happens: for a connection, for connecting, writing and reading. */
export const DEADLINE_MS = 15_000;

/** A Message resource is about 1 KB. */
export const MAX_REPLY_BYTES = 65_536;

/**
 * Each connection carries one request. Pipelining (8 requests on each of 4 connections) gained a sixth on loopback, but leaves all
 * that was written on a cut connection in doubt, which is eight people instead of one.
 */
export const CONNECTIONS = 32;

/**
 * An idle connection is dropped after this unless the server names its own time (`Keep-Alive: timeout=`). The time is short,
 * because a request written onto a connection that the server is just closing ends as `unknown`, which a campaign
 * never sends again. A new handshake costs far less than a doubt.
 */
export const KEEP_ALIVE_MS = 10_000;

/** How long to wait when a 429 does not say how long. Twilio's limits count by the second. */
export const RETRY_AFTER_MS = 1_000;

/** Twilio's bounds for ValidityPeriod, seconds. */
export const VALIDITY_SECONDS = { min: 1, max: 36_000 } as const;
