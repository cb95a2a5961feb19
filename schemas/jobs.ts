import type { MessageClass } from './delivery.ts';

/**
 * Every queue and what its jobs carry. Jobs are nudges: ids only, never text, addresses or tokens.
 * A job may be lost or repeated without harm, because the sweep finds due work from rows alone.
 */
export interface Jobs {
  /** Plan the batches of a wave. */
  plan: { tenantId: number; waveId: string };
  /**
   * There is a batch to deliver in this lane; the worker claims one from the rows. Of life also before there is one, null:
   * a message is about to be launched.
   */
  'deliver-life': { messageId: string | null };
  'deliver-ops': { messageId: string };
  'deliver-bulk': { messageId: string };
  /** Close what a stopped or expired message still has queued. */
  close: { tenantId: number; messageId: string };
}
export type JobName = keyof Jobs;
export type DeliverJobName = `deliver-${MessageClass}`;

export const JOB_NAMES = ['plan', 'deliver-life', 'deliver-ops', 'deliver-bulk', 'close'] as const satisfies readonly JobName[];

export const deliverJob = (lane: MessageClass): DeliverJobName => `deliver-${lane}`;
