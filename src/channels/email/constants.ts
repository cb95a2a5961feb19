/** The time that one message may take, whatever happens: for a connection, for connecting and for the whole transaction. */
export const DEADLINE_MS = 20_000;

/** Connections to the relay. Each carries one transaction at a time, as SMTP has no other way. */
export const CONNECTIONS = 8;

/** An idle connection is ended after this, because relays under stress hang up after 10 s (Postfix smtpd_timeout). */
export const IDLE_MS = 8_000;

/** A connection is replaced after so many. Many relays end a session after 100 messages, by a 421 that would look like a throttle. */
export const MESSAGES_PER_CONNECTION = 100;

/** How long to wait after "slow down": a relay never says for how long. */
export const RETRY_AFTER_MS = 5_000;

/** The time that a relay has for its goodbye. */
export const QUIT_MS = 1_000;

/** Bounds of the bounce intake. A DSN with our own message inside is under 100 KB. */
export const INTAKE = { maxBytes: 1_048_576, maxClients: 50, socketTimeoutMs: 60_000 } as const;

/** Fields under our own DKIM signature. RFC 8058 section 4 wants both List-Unsubscribe fields, and nodemailer's default has one. */
export const SIGNED_HEADERS = 'From:To:Subject:Date:Message-ID:MIME-Version:Content-Type:Auto-Submitted:List-Unsubscribe:List-Unsubscribe-Post';
