import type { DeliveryState } from '#schemas/delivery.ts';

interface InDoubt {
  readonly state: DeliveryState;
  readonly code: string | null;
  /** When the call was about to leave. */
  readonly markedAt: string | null;
}

/** The words before and after the time: what was done then, and what is not known. */
interface DoubtWords {
  readonly before: string;
  readonly after: string;
}

/** Says in plain words around its time why a delivery is in doubt; undefined for one that is not. */
export function doubtWords({ state, code }: Pick<InDoubt, 'state' | 'code'>): DoubtWords | undefined {
  if (state !== 'unknown' && state !== 'unresolved') return undefined;
  // Our own process ended between writing down that it would call and hearing what became of it.
  if (code === 'lease_passed') return { before: 'about to be sent at', after: 'when our sending process was cut off: may or may not have it' };
  return { before: 'sent at', after: 'no answer from the carrier: may or may not have it' };
}

/** Makes one sentence for programs and spreadsheets: "sent at 14:02:11 UTC, no answer from the carrier: may or may not have it". */
export function doubtText(delivery: InDoubt): string | null {
  const words = doubtWords(delivery);
  if (!words) return null;
  const clock = delivery.markedAt === null ? 'a time not known' : `${delivery.markedAt.slice(11, 19)} UTC`;
  return `${words.before} ${clock}, ${words.after}`;
}
