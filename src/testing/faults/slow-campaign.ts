import { setTimeout as delay } from 'node:timers/promises';
import { until } from '#testing/until.ts';
import type { World } from './world.ts';

/** What the carrier takes for each answer once it has become slow. */
export const SLOW_MS = 2_000;

/**
 * Launches a campaign, waits for so many calls, and makes the carrier slow: it is fast first, so that as many people are
 * marked ahead as ever when it becomes slow. @returns the message, with calls under way that nobody has answered
 */
export async function slowCampaign(world: World, calls: number): Promise<{ publicId: string; id: string }> {
  world.simulator.control({ sms: { latencyMs: 0, latencyJitterMs: 0 } });
  const from = world.simulator.state().calls;
  const message = await world.launch({ class: 'bulk' });
  await until(() => world.simulator.state().calls >= from + calls, 60_000, `${calls} calls are not reached`, 1);
  world.simulator.control({ sms: { latencyMs: SLOW_MS } });
  await delay(SLOW_MS / 4);
  return message;
}
