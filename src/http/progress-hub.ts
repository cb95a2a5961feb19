import { createHash } from 'node:crypto';
import { monotonicMs } from '#platform/clock.ts';
import type { MessageView } from '#schemas/views.ts';
import { type Context, type Deps, systemActor } from '#services/context.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { createListener } from '#services/listen.ts';

/** A message is read at most 4 times a second: nobody can follow faster, and each read costs a query. */
const GAP_MS = 250;
/**
 * Each watcher adds this much to the gap, up to 2 s. Writing to 1,000 watchers four times a second took a quarter of a
 * fan-out's speed on two cores.
 */
const GAP_MS_A_WATCHER = 2;
const LONGEST_GAP_MS = 2_000;
const HEARTBEAT_MS = 15_000;

/** A message as it stood at one moment. It is made once and shared by all its watchers. */
export interface ProgressFrame {
  /** The event's id. It changes with the view. */
  readonly id: string;
  readonly json: string;
  readonly view: MessageView;
}

export interface Watcher {
  frame(frame: ProgressFrame): void;
  /** Called every 15 s, so that proxies and clients see that the connection is alive. */
  beat?(): void;
  /** Called when the process shuts down. */
  end?(): void;
}

export interface ProgressHub {
  /**
   * Gives the watcher the current frame of a message at once, and another one after each change.
   * @returns what ends the watching
   * @throws Problem 404 for an unknown id
   */
  watch(ctx: Context, publicId: string, watcher: Watcher): Promise<() => void>;
  /** Ends every watcher and the LISTEN connection. */
  close(): Promise<void>;
  readonly stats: { readonly watchers: number; readonly messages: number; readonly reads: number };
}

interface Topic {
  readonly ctx: Context;
  readonly publicId: string;
  readonly watchers: Set<Watcher>;
  last: ProgressFrame | undefined;
  readAt: number;
  reading: Promise<ProgressFrame> | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Whether something changed after the running read had begun. */
  dirty: boolean;
}

const frameOf = (view: MessageView): ProgressFrame => {
  const json = JSON.stringify(view);
  return { id: createHash('sha1').update(json).digest('base64url').slice(0, 16), json, view };
};

const gapOf = ({ watchers }: Topic): number => Math.min(LONGEST_GAP_MS, Math.max(GAP_MS, watchers.size * GAP_MS_A_WATCHER));

const newTopic = (deps: Deps, { tenantId }: Context, publicId: string): Topic => ({
  ctx: { ...deps, tenantId, actor: systemActor, requestId: 'progress' },
  publicId,
  watchers: new Set(),
  last: undefined,
  readAt: Number.NEGATIVE_INFINITY,
  reading: undefined,
  timer: undefined,
  dirty: false,
});

/** Reads messages for their watchers: of each message one read at a time, and no sooner than a gap after the read before. */
class TopicReader {
  readonly #log: Deps['log'];
  reads = 0;

  constructor({ log }: Pick<Deps, 'log'>) {
    this.#log = log;
  }

  /** Reads now, or waits for the read that runs. */
  refresh(topic: Topic): Promise<ProgressFrame> {
    topic.reading ??= this.#read(topic).finally(() => {
      topic.reading = undefined;
      if (topic.dirty) this.schedule(topic);
    });
    return topic.reading;
  }

  /** Reads once the gap has passed, if anybody still watches. */
  schedule(topic: Topic): void {
    topic.dirty = true;
    if (topic.reading || topic.timer || topic.watchers.size === 0) return;
    topic.timer = setTimeout(
      () => {
        topic.timer = undefined;
        this.refresh(topic).catch((error: unknown) => {
          this.#log.warn({ code: (error as { code?: string }).code }, 'progress could not be read');
          this.schedule(topic);
        });
      },
      Math.max(0, topic.readAt + gapOf(topic) - monotonicMs()),
    );
  }

  async #read(topic: Topic): Promise<ProgressFrame> {
    topic.readAt = monotonicMs();
    topic.dirty = false;
    this.reads += 1;
    const frame = frameOf(await getMessage(topic.ctx, topic.publicId));
    if (frame.id !== topic.last?.id) {
      topic.last = frame;
      for (const watcher of topic.watchers) watcher.frame(frame);
    }
    return frame;
  }
}

/** Follows messages for any number of watchers: one LISTEN connection a process, one read per message and change. */
export function createProgressHub(deps: Deps): ProgressHub {
  const topics = new Map<string, Topic>();
  const reader = new TopicReader(deps);
  let closed = false;

  const listener = createListener(deps, 'progress', {
    notified: (key) => {
      const topic = topics.get(key);
      if (topic) reader.schedule(topic);
    },
    // Notifications may have been missed while there was no connection.
    connected: () => topics.forEach((topic) => reader.schedule(topic)),
  });

  const watchers = (): Watcher[] => [...topics.values()].flatMap((topic) => [...topic.watchers]);
  const heart = setInterval(() => {
    for (const watcher of watchers()) watcher.beat?.();
  }, HEARTBEAT_MS).unref();

  function leave(key: string, topic: Topic, watcher: Watcher): void {
    topic.watchers.delete(watcher);
    if (topic.watchers.size > 0) return;
    clearTimeout(topic.timer);
    if (topics.get(key) === topic) topics.delete(key);
  }

  return {
    async watch(ctx, publicId, watcher) {
      const key = `${ctx.tenantId}:${ctx.ids.decode('msg', publicId) ?? ''}`;
      await listener.ready();
      const topic = topics.get(key) ?? newTopic(deps, ctx, publicId);
      // A new watcher gets the frame that the others have, which is at most one gap old.
      const known = topic.last;
      if (known) watcher.frame(known);
      topic.watchers.add(watcher);
      topics.set(key, topic);
      if (!known) {
        try {
          await reader.refresh(topic);
        } catch (error) {
          leave(key, topic, watcher);
          throw error;
        }
      }
      if (closed) watcher.end?.();
      return () => leave(key, topic, watcher);
    },
    async close() {
      closed = true;
      clearInterval(heart);
      for (const { timer } of topics.values()) clearTimeout(timer);
      for (const watcher of watchers()) watcher.end?.();
      topics.clear();
      await listener.close();
    },
    get stats() {
      return { watchers: watchers().length, messages: topics.size, reads: reader.reads };
    },
  };
}

const hubs = new WeakMap<object, ProgressHub>();

/** The one hub of this process: API streams and console boards share it. */
export function progressHub(deps: Deps): ProgressHub {
  const hub = hubs.get(deps.db) ?? createProgressHub(deps);
  hubs.set(deps.db, hub);
  return hub;
}
