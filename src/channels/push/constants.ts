/** The time that one call may take, whatever happens: a push service that hangs must not hold a batch. */
export const DEADLINE_MS = 8_000;

/** So many bytes of a push service's answer are read, and the rest is cut. */
export const MAX_REPLY_BYTES = 4_096;

/** People whom one process calls at once; each may have several subscriptions. One HTTP/2 connection takes 100 at once, so few wait. */
export const CONCURRENCY = 256;

/** Connections to one push service. Over HTTP/2 each carries up to 100 requests. */
export const CONNECTIONS_PER_ORIGIN = 32;

/**
 * How long an idle connection is kept. Push services keep theirs for minutes, and a doubtful push may be sent again (same Topic and
 * tag).
 */
export const KEEP_ALIVE_MS = 60_000;

/** The known push services are a handful of hosts. This only bounds how many hostile subscriptions could open. */
export const MAX_ORIGINS = 64;

/** How long to wait when a 429 does not say how long. */
export const RETRY_AFTER_MS = 5_000;

/** A service must take 4096 bytes (RFC 8030 section 7.2), of which 103 are the encryption's. */
export const MAX_PLAINTEXT_BYTES = 3_993;

/** RFC 8292 section 2 allows 24 hours. Half of it leaves room for clocks that differ. */
export const VAPID_LIFE_SECONDS = 12 * 3_600;

/** Hosts of the browsers' push services. A leading dot means "any host below". */
export const KNOWN_HOSTS = [
  'fcm.googleapis.com', // Chrome, Edge on Android, Opera, Samsung Internet
  '.push.services.mozilla.com', // Firefox
  'web.push.apple.com', // Safari
  '.push.apple.com', // Safari
  '.notify.windows.com', // Edge on Windows
] as const;
