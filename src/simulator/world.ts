import type { Clock } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';
import type { Agenda } from './agenda.ts';
import type { CallLog } from './call-log.ts';
import type { Chance } from './chance.ts';
import type { Behaviour, SimulatedChannel } from './control.ts';
import type { Fates } from './fate.ts';
import type { Hooks, TwilioAccount } from './hooks.ts';
import type { Outbox } from './outbox.ts';

/** What the simulated carriers need to know of the installation they serve. */
export interface Installation {
  /** One account, or two, each of which fails by itself. */
  readonly accounts: readonly [TwilioAccount, ...TwilioAccount[]];
  /** Where Muster's hooks and pages are; without a trailing slash. */
  readonly publicUrl: string;
}

/** A message that has reached a person's phone, browser or mailbox. */
export interface Arrival {
  readonly channel: SimulatedChannel;
  /** Phone number, mail address or push subscription id. */
  readonly to: string;
  /** The number to reply to for an SMS, the envelope's return path for a mail. */
  readonly from: string;
  /** The List-Unsubscribe address of a mail that offers one-click (RFC 8058). */
  readonly oneClickUrl?: string | undefined;
  /** Everything readable: the text, or the parts of a mail, or the decrypted payload. */
  readonly text: string;
}

/** The people at the other end. */
export interface People {
  /** False when nobody reacts to anything, so that nothing needs to be decrypted or parsed for them. */
  readonly awake: boolean;
  arrived(arrival: Arrival): void;
}

/** Everything the simulated carriers share; made once in start.ts. */
export interface World {
  readonly installation: Installation;
  readonly clock: Clock;
  readonly log: Log;
  readonly calls: CallLog;
  readonly agenda: Agenda;
  readonly fates: Fates;
  readonly outbox: Outbox;
  readonly hooks: Hooks;
  /** Holds nobody until the crowd is made. */
  people: People;
  /** The behaviour in force, which `POST /control` changes. */
  behaviour: Behaviour;
  chance: Chance;
}
