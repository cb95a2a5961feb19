import type { Deps } from '#services/context.ts';
import { createListener } from '#services/listen.ts';
import { type Recalls, STOPS } from '#services/delivery/recalls.ts';

/** Beside the notification: a connection can be dead without anybody knowing. A stop takes effect within a second all the same. */
const LOOK_MS = 400;
/** Looks without an answer, and no mark made meanwhile: 2 s. Restarts of a database are as long, and end by themselves. */
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
