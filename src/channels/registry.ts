import type { ChannelAdapter, Content, ContentOf } from '#domain/delivery/channel.ts';
import type { Hook } from '#domain/delivery/hook.ts';
import { howToSetUp, type ProviderAccount } from '#platform/accounts.ts';
import { type Config, ConfigError } from '#platform/config.ts';
import { byChannel, type Channel, CHANNELS } from '#schemas/channel-facts.ts';
import type { ChannelModule, EvidenceIntake, Listening, Provider, ReadAccount, Surroundings } from './module.ts';

/** One adapter for every channel there is. */
export type Channels = { readonly [C in Channel]: ChannelAdapter<ContentOf<C>> };

/** The channels of this installation with their accounts read, before anything of them is used. */
export interface InstalledChannels {
  readonly config: Config;
  readonly modules: Readonly<Record<Channel, ChannelModule>>;
  readonly accounts: readonly InstalledAccount[];
}

interface InstalledAccount extends Pick<ProviderAccount, 'channel' | 'provider' | 'number'> {
  readonly account: ReadAccount<Content>;
}

/**
 * Loads the folder of every channel and has it read the settings of its accounts.
 * @throws ConfigError naming every wrong field; Error for a channel that has no folder
 */
export async function installChannels(config: Config): Promise<InstalledChannels> {
  const loaded = await Promise.all(CHANNELS.map(async (channel) => [channel, await loadModule(channel)] as const));
  const modules = Object.fromEntries(loaded) as Record<Channel, ChannelModule>;
  const problems: string[] = [];
  const accounts = config.accounts.flatMap(({ channel, provider, number, settings, source }): InstalledAccount[] => {
    const { providers } = modules[channel];
    const known = Object.hasOwn(providers, provider) ? (providers[provider] as Provider<Content>) : undefined;
    const read = known?.read(settings) ?? { problems: [{ field: 'provider', message: `must be ${Object.keys(providers).join(' or ')}` }] };
    if (!('problems' in read)) return [{ channel, provider, number, account: read }];
    problems.push(...read.problems.map(({ field, message }) => `${source}${field === '' ? '' : `${field}: `}${message}`));
    return [];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, modules, accounts };
}

async function loadModule(channel: Channel): Promise<ChannelModule> {
  try {
    return ((await import(`./${channel}/channel.ts`)) as { default: ChannelModule }).default;
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const file = `src/channels/${channel}/channel.ts`;
    throw new Error(`${file} cannot be loaded, although schemas/channel-facts.ts has the channel ${channel}`, { cause: error });
  }
}

/** Answers every call of an account without credentials so that its sender stops, and a human is told what to set. */
function absent(channel: Channel, detail: string): ChannelAdapter {
  const send = async () => ({ outcome: { kind: 'misconfigured', code: 'not_configured', detail } }) as const;
  return { channel, concurrency: 1, prepare: () => ({ send }), close: async () => {} };
}

/** Joins several accounts of one channel. Each has connections of its own, so that a provider that hangs does not hold another. */
function byAccount(channel: Channel, accounts: ReadonlyMap<number, ChannelAdapter>): ChannelAdapter {
  const [first] = accounts.values();
  return {
    channel,
    concurrency: first?.concurrency ?? 1,
    prepare(content, sender) {
      const number = sender.account ?? 1;
      return (accounts.get(number) ?? absent(channel, howToSetUp(channel, number))).prepare(content, sender);
    },
    close: async () => {
      await Promise.all([...accounts.values()].map((account) => account.close()));
    },
  };
}

/** Creates an adapter with connections of its own for every channel. */
export function createChannels({ config, accounts }: InstalledChannels, surroundings: Omit<Surroundings, 'config'>): Channels {
  return byChannel((channel) => {
    const own = accounts.filter((one) => one.channel === channel).sort((a, b) => a.number - b.number);
    return byAccount(channel, new Map(own.map(({ number, account }) => [number, account.create({ config, ...surroundings })])));
  }) as Channels;
}

/** What carriers may call, of every provider there is. */
export const hooksOf = ({ modules, accounts }: InstalledChannels): readonly Hook[] =>
  CHANNELS.flatMap((channel) =>
    Object.entries(modules[channel].providers).flatMap(([name, provider]) => {
      const own = accounts.filter((one) => one.channel === channel && one.provider === name);
      return (provider as Provider<Content>).hooks(own.map(({ account }) => account));
    }),
  );

/** Starts what takes evidence by other ways than HTTP. */
export async function listen(installed: InstalledChannels, surroundings: Omit<Surroundings, 'config'>, intake: EvidenceIntake): Promise<Listening> {
  const { config, modules } = installed;
  const listening: Listening[] = [];
  for (const channel of CHANNELS) {
    const one = await modules[channel].listen?.({ config, ...surroundings }, intake);
    if (one) listening.push(one);
  }
  return {
    close: async () => {
      await Promise.all(listening.map((one) => one.close()));
    },
  };
}
