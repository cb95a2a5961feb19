import type { SimulatedChannel } from './control.ts';

/** One message as the person sees it. */
export interface OutboxItem {
  readonly at: number;
  readonly channel: SimulatedChannel;
  /** `in` for what the person got, `out` for what the person sent. */
  readonly direction: 'in' | 'out';
  readonly other: string;
  readonly subject?: string;
  /** The text, which is read only when somebody looks, since a mail is parsed and a push decrypted for it. */
  readonly text: () => Promise<string> | string;
  /** Topic of a push; a later push with the same topic replaces it (RFC 8030 section 5.4). */
  readonly topic?: string;
}

/**
 * How many people are remembered, the latest first, and how many messages of each. They are for people who look, not for the
 * record.
 */
const MAX_PEOPLE = 2000;
const MAX_ITEMS = 30;

export class Outbox {
  readonly #people = new Map<string, OutboxItem[]>();

  add(address: string, item: OutboxItem): void {
    const items = (this.#people.get(address) ?? []).filter((old) => item.topic === undefined || old.topic !== item.topic || old.channel !== item.channel);
    items.push(item);
    if (items.length > MAX_ITEMS) items.shift();
    // Re-inserting makes the map's order that of the latest message.
    this.#people.delete(address);
    this.#people.set(address, items);
    if (this.#people.size > MAX_PEOPLE) for (const oldest of this.#people.keys()) return void this.#people.delete(oldest);
  }

  of(address: string): readonly OutboxItem[] {
    return this.#people.get(address) ?? [];
  }

  /** Latest first. */
  people(): { address: string; latest: OutboxItem }[] {
    return [...this.#people].reverse().flatMap(([address, items]) => {
      const latest = items.at(-1);
      return latest ? [{ address, latest }] : [];
    });
  }

  clear(): void {
    this.#people.clear();
  }
}
