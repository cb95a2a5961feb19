import type { Bench } from '#bench/bench.ts';
import { draft, fanOut, firstWitnessed, LONGER_BYTES, stopMessage } from '#bench/fan-out.ts';
import { median } from '#bench/statistics.ts';
import type { System, Tenant } from '#bench/system.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { until } from '#testing/until.ts';

export interface Beside {
  readonly system: System;
  /** The tenant that sends the huge bulk message, to `bulk` people. */
  readonly crowd: Tenant;
  readonly bulk: number;
  /** The message that must not suffer. */
  readonly tenant: Tenant;
  readonly class: MessageClass;
  readonly audience: unknown;
  readonly count: number;
  /** How many times it is measured on an idle installation, and as often beside the bulk message. */
  readonly rounds: number;
}

export interface BesideTimes {
  /** Medians, in ms from the POST. */
  readonly idle: { readonly first: number; readonly all: number };
  readonly busy: { readonly first: number; readonly all: number };
}

/** Times of a message on an idle installation and while a huge bulk message is in flight. */
export async function besideBulk(bench: Bench, { system, crowd, bulk, tenant, audience, count, rounds, ...rest }: Beside): Promise<BesideTimes> {
  const send = async (): Promise<{ first: number; all: number }> => {
    bench.checkTime();
    await bench.http.witnessed();
    const { postedAt, ms } = await fanOut(system, tenant, draft({ class: rest.class, channel: 'sms', audience, longer: true }), count);
    const first = await firstWitnessed(bench.http, count, (call) => call.bytes > LONGER_BYTES);
    return { first: first - postedAt, all: ms };
  };
  /** Measures as many as fit while `during` holds, and `rounds` at most. */
  const several = async (during: () => Promise<boolean>): Promise<{ first: number; all: number }> => {
    const runs: { first: number; all: number }[] = [];
    for (let i = 0; i < rounds; i++) {
      const run = await send();
      if (!(await during())) break;
      runs.push(run);
    }
    if (runs.length === 0) throw new Error('the bulk message ended before the other: raise --size bulk');
    if (runs.length < rounds) bench.note(`beside ${bulk} bulk only ${runs.length} of ${rounds} rounds fitted: raise --size bulk`);
    return { first: median(runs.map((run) => run.first)), all: median(runs.map((run) => run.all)) };
  };
  await send();
  const idle = await several(async () => true);
  const { id } = await system.call<{ id: string }>(crowd, 'POST', '/v1/messages', draft({ class: 'bulk', channel: 'sms' }));
  const view = (): Promise<MessageView> => system.call<MessageView>(crowd, 'GET', `/v1/messages/${id}`);
  try {
    await until(async () => (await view()).deliveries.accepted > Math.min(2_000, bulk / 20), 60_000, 'the bulk message is not in flight');
    const busy = await several(async () => (await view()).deliveries.pending > 0);
    return { idle, busy };
  } finally {
    await stopMessage(system, crowd, id);
  }
}
