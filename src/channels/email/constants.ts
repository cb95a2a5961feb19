/** For one message, whatever happens: waiting for a connection, connecting, the whole transaction. */
export const DEADLINE_MS = 20_000;

/** Connections to the relay. One transaction at a time on each: SMTP has no other way. */
export const CONNECTIONS = 8;

/** An idle connection is ended after this; relays under stress hang up after 10 s (Postfix smtpd_timeout). */
export const IDLE_MS = 8_000;

/** Then a fresh connection: many relays end a session after 100 messages, with a 421 that would look like a throttle. */
export const MESSAGES_PER_CONNECTION = 100;

/** When a relay says "slow down" it never says for how long. */
export const RETRY_AFTER_MS = 5_000;

/** For the relay's goodbye. */
export const QUIT_MS = 1_000;

/** The bounce intake: a DSN with our own message inside is under 100 KB. */
export const INTAKE = { maxBytes: 1_048_576, maxClients: 50, socketTimeoutMs: 60_000 } as const;

/** Covered by our own DKIM signature; RFC 8058 section 4 wants both List-Unsubscribe fields, nodemailer's default has one. */
export const SIGNED_HEADERS = 'From:To:Subject:Date:Message-ID:MIME-Version:Content-Type:Auto-Submitted:List-Unsubscribe:List-Unsubscribe-Post';
