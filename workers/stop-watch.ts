import type { Deps } from '#services/context.ts';
import { createListener } from '#services/listen.ts';
import { type Recalls, STOPS } from '#services/delivery/recalls.ts';

/**
 * How often the rows are read besides the notifications: a connection can be dead without anybody knowing, and a stop must
 * take effect within a second all the same.
 */
const LOOK_MS = 400;
/**
 * Looks without an answer before everything counts as stopped, where no mark succeeds meanwhile. They take 2 s, which is as
 * long as the restart of a database that ends by itself.
 */
const LOOKS_MISSED = 5;

/** Hears of stops on a connection of its own, and looks at the rows while anything is claimed. */
export async function watchStops(deps: Deps, recalls: Recalls): Promise<{ close(): Promise<void> }> {
  let looking: Promise<void> | undefined;
  const look = (): void => {
    looking ??= recalls
      .look(deps)
      .catch((error: unknown) => deps.log.debug({ error: (error as Error).message }, 'stops not looked at'))
      .finally(() => (looking = undefined));
  };
  const listener = createListener(deps, STOPS, { notified: (payload) => recalls.hear(payload), connected: look });
  const timer = setInterval(() => {
    const held = recalls.miss(LOOKS_MISSED);
    if (held > 0) deps.log.warn({ claims: held }, 'cut off from the database: who is marked and not called waits');
    look();
  }, LOOK_MS);
  await listener.ready();
  return {
    async close() {
      clearInterval(timer);
      await looking;
      await listener.close();
    },
  };
}
