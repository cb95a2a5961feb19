/**
 * What the code may ask of a channel. One entry here and one folder in src/channels (src/channels/module.ts says what it
 * holds) are all that a new channel needs: names, columns, tokens, statements, enums and forms are derived from the entry.
 */
export const CHANNEL_FACTS = {
  push: {
    number: 0,
    names: { title: 'Push', inText: 'push' },
    address: 'subscriptions',
    renders: 'notification',
    evidence: 'beacon',
    unit: 'call',
    inbound: false,
    buttons: true,
    joins: true,
    byDefault: true,
    accounts: 'one',
    senderPool: null,
  },
  sms: {
    number: 1,
    names: { title: 'SMS', inText: 'SMS' },
    address: 'phone',
    renders: 'short_text',
    evidence: 'receipt',
    unit: 'segment',
    inbound: true,
    buttons: false,
    joins: true,
    byDefault: true,
    accounts: 'many',
    // A Twilio messaging service, which chooses the number itself.
    senderPool: /^MG[0-9a-fA-F]{32}$/,
  },
  email: {
    number: 2,
    names: { title: 'E-mail', inText: 'e-mail' },
    address: 'email',
    renders: 'mail',
    evidence: 'bounce',
    unit: 'call',
    inbound: false,
    buttons: false,
    joins: true,
    byDefault: true,
    accounts: 'many',
    senderPool: null,
  },
} as const satisfies Readonly<Record<string, ChannelFacts>>;

type Facts = typeof CHANNEL_FACTS;

export type ChannelFacts = ChannelBase & RenderedFacts;

/**
 * `renders`: what a message is made into, and with it all that `RENDERING_FACTS` says of such texts. `unit`: what a sender's
 * rate counts, and what people pay for; only a short text has segments.
 */
type RenderedFacts =
  | { readonly renders: 'short_text'; readonly unit: 'segment' | 'call' }
  | { readonly renders: Exclude<Rendering, 'short_text'>; readonly unit: 'call' };

interface ChannelBase {
  /** The number never changes and is never another channel's: it stands in links that live 30 days, and in the ordinals of join waves. */
  readonly number: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15;
  readonly names: {
    /** Where it stands alone or heads a row. */
    readonly title: string;
    /** Inside a sentence. */
    readonly inText: string;
  };
  /** Which of a person's addresses it uses, and with it all that `ADDRESS_FACTS` says of such addresses. */
  readonly address: AddressKind;
  /**
   * By what news of a delivery comes, which is the purpose that the reference in each call is sealed for. Null: none comes;
   * the reference is sealed as a receipt's all the same, since an adapter may give it to a carrier to tell a repeat by.
   */
  readonly evidence: 'receipt' | 'bounce' | 'beacon' | null;
  /** Whether people can write back to the sender, and so answer. */
  readonly inbound: boolean;
  /** Whether a message shows buttons that answer at once. */
  readonly buttons: boolean;
  /** Whether somebody may join through a share link by it: they have proved the address to be theirs. */
  readonly joins: boolean;
  /** Whether a message that names no channels uses it; in the order of the table. */
  readonly byDefault: boolean;
  /** Whether senders may choose between accounts. */
  readonly accounts: 'one' | 'many';
  /** Name of a provider's pool of numbers, which may stand in place of a sender's own address. */
  readonly senderPool: RegExp | null;
}

/** What holds for the addresses of a person, whichever channel uses them. */
export const ADDRESS_FACTS = {
  phone: { column: 'phone', invalidColumn: 'phone_invalid_at', lowerCase: false, sender: 'number' },
  email: { column: 'email', invalidColumn: 'email_invalid_at', lowerCase: true, sender: 'mailbox' },
  // A person ends them by dropping the subscription: nothing is suppressed, and a dead one is removed.
  subscriptions: { column: null, invalidColumn: null, lowerCase: false, sender: 'none' },
} as const satisfies Readonly<Record<string, AddressFacts>>;

export type AddressKind = keyof typeof ADDRESS_FACTS;

export type AddressFacts =
  | {
      /** Column of `recipients`; an address in it can be suppressed for a sender. */
      readonly column: 'phone' | 'email';
      /** Since when it is known to be dead. */
      readonly invalidColumn: 'phone_invalid_at' | 'email_invalid_at';
      /** Kept in lower case everywhere, whatever it comes in. */
      readonly lowerCase: boolean;
      /** What a sender's own address is. */
      readonly sender: 'number' | 'mailbox';
    }
  | { readonly column: null; readonly invalidColumn: null; readonly lowerCase: false; readonly sender: 'none' };

/** What a message can be made into. */
export const RENDERING_FACTS = {
  short_text: { readersZone: false, unsubscribeLink: false },
  notification: { readersZone: false, unsubscribeLink: false },
  // Alone in having room for times in the reader's own zone: a short text would cost one or the other more.
  mail: { readersZone: true, unsubscribeLink: true },
} as const satisfies Readonly<Record<string, RenderingFacts>>;

export type Rendering = keyof typeof RENDERING_FACTS;

interface RenderingFacts {
  /** Whether times are told in the reader's own zone, so that each zone has a rendering of its own. */
  readonly readersZone: boolean;
  /** Whether it carries a link that ends messages from this sender. */
  readonly unsubscribeLink: boolean;
}

export type Channel = keyof Facts;

/** In the order in which people see them. */
export const CHANNELS = Object.keys(CHANNEL_FACTS) as [Channel, ...Channel[]];

/** The channels that are made into this. */
export type ChannelRendering<R extends Rendering> = { [C in Channel]: Facts[C]['renders'] extends R ? C : never }[Channel];

/** How an answer reached us: on the page, in a text back, by a button. */
export type AnswerWay = 'page' | { [C in Channel]: true extends Facts[C]['inbound'] | Facts[C]['buttons'] ? C : never }[Channel];

/** A channel's facts, with the types that any channel's may have. */
export const factsOf = (channel: Channel): ChannelFacts => CHANNEL_FACTS[channel];
export const addressFacts = (channel: Channel): AddressFacts => ADDRESS_FACTS[CHANNEL_FACTS[channel].address];
export const renderingFacts = (channel: Channel): RenderingFacts => RENDERING_FACTS[CHANNEL_FACTS[channel].renders];

/** Whether its senders are paced, and its bills counted, by segments of a text. */
export const countsSegments = (channel: Channel): channel is ChannelRendering<'short_text'> =>
  // A program may hear of channels that only a newer installation knows.
  (factsOf(channel) as ChannelFacts | undefined)?.unit === 'segment';

/** One of something for each channel, made once. */
export const byChannel = <T>(make: (channel: Channel) => T): Record<Channel, T> =>
  Object.fromEntries(CHANNELS.map((channel) => [channel, make(channel)])) as Record<Channel, T>;

/** What a message uses that names no channels. */
export const DEFAULT_CHANNELS: readonly Channel[] = CHANNELS.filter((channel) => factsOf(channel).byDefault);

const answersBy = (fact: 'inbound' | 'buttons') => CHANNELS.filter((channel) => factsOf(channel)[fact]) as Exclude<AnswerWay, 'page'>[];
export const TEXT_WAYS = answersBy('inbound');
export const BUTTON_WAYS = answersBy('buttons');
export const ANSWER_WAYS: readonly AnswerWay[] = [...new Set<AnswerWay>(['page', ...TEXT_WAYS, ...BUTTON_WAYS])];

const BY_NUMBER = new Map<number, Channel>();
for (const channel of CHANNELS) {
  const { number } = CHANNEL_FACTS[channel];
  const other = BY_NUMBER.get(number);
  if (other !== undefined) throw new Error(`schemas/channel-facts.ts: ${other} and ${channel} both have the number ${number}`);
  BY_NUMBER.set(number, channel);
}

export const channelOfNumber = (number: number): Channel | undefined => BY_NUMBER.get(number);
