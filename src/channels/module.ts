import type { z } from 'zod';
import type { ChannelAdapter, Content, ContentOf } from '#domain/delivery/channel.ts';
import type { Returned } from '#domain/delivery/evidence.ts';
import type { Hook } from '#domain/delivery/hook.ts';
import type { Clock } from '#platform/clock.ts';
import type { Config } from '#platform/config.ts';
import type { Log } from '#platform/log.ts';
import type { Channel } from '#schemas/channel-facts.ts';

/** What `src/channels/<channel>/channel.ts` exports as its default. */
export interface ChannelModule<C extends Channel = Channel> {
  /** By the name that an account has for its provider. */
  readonly providers: Readonly<Record<string, Provider<ContentOf<C>>>>;
  /** Where evidence comes by another way than HTTP. Undefined where this installation takes none. */
  readonly listen?: (surroundings: Surroundings, intake: EvidenceIntake) => Promise<Listening | undefined>;
}

/** What adapters know of the installation besides their own settings. */
export interface Surroundings {
  readonly config: ChannelConfig;
  readonly log: Log;
  readonly clock?: Clock;
}

export type ChannelConfig = Pick<Config, 'publicUrl' | 'mailFrom' | 'pushHosts' | 'host' | 'bounceSmtpPort'>;

/** Takes evidence that an adapter has verified. */
export interface EvidenceIntake {
  /** Whether we ever gave out this reference. */
  accepts(ref: string): boolean;
  /** Rejects while it cannot be recorded: whoever brought the evidence should come again. */
  receive(ref: string, returned: Returned): Promise<void>;
}

export interface Listening {
  close(): Promise<void>;
}

/** One kind of account of a channel. */
export interface Provider<C extends Content> {
  /** @returns the account ready for use, or one line for each wrong field */
  read(settings: unknown): ReadAccount<C> | { readonly problems: readonly { readonly field: string; readonly message: string }[] };
  /** What this provider calls. Also without an account: its URLs are there, and nobody is believed. */
  hooks(accounts: readonly ReadAccount<C>[]): readonly Hook[];
}

/** An account whose settings are good. */
export interface ReadAccount<C extends Content> {
  readonly settings: unknown;
  create(surroundings: Surroundings): ChannelAdapter<C>;
}

interface ProviderParts<C extends Content, S extends z.ZodType> {
  readonly settings: S;
  create(settings: z.infer<S>, surroundings: Surroundings): ChannelAdapter<C>;
  hooks?(accounts: readonly z.infer<S>[]): readonly Hook[];
}

/** A provider from the shape of its settings and what is made of them. */
export function provider<C extends Content, S extends z.ZodType>(parts: ProviderParts<C, S>): Provider<C> {
  return {
    read(given) {
      const parsed = parts.settings.safeParse(given);
      if (!parsed.success) {
        const { issues } = parsed.error;
        return { problems: issues.map(({ path, message }) => ({ field: path.map(String).join('.'), message })) };
      }
      const settings = parsed.data;
      return { settings, create: (surroundings) => parts.create(settings, surroundings) };
    },
    hooks: (accounts) => parts.hooks?.(accounts.map(({ settings }) => settings as z.infer<S>)) ?? [],
  };
}
