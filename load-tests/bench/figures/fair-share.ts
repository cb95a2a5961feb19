import { type Bench, startMuster } from '#bench/bench.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { round } from '#bench/statistics.ts';
import { besideBulk } from './beside.ts';

export interface FairShareResult {
  readonly huge: number;
  readonly few: number;
  readonly idleMs: number | null;
  readonly ms: number | null;
  readonly ratio: number | null;
}

/**
 * This figure takes a multiple of the usual rounds: a round takes a tenth of a second and differs from the next by half, and
 * in the first seconds of a huge message its people are still being planned.
 */
const ROUNDS = 3;

/** A small tenant's message while another tenant's huge one of the same class is in flight. */
export async function fairShare(bench: Bench): Promise<FairShareResult> {
  const { bulk: huge, few } = bench.sizes;
  const system = await startMuster(bench, { smsUrl: bench.http.witnessUrl });
  try {
    const crowd = await system.addTenant([SENDERS.sms]);
    const tenant = await system.addTenant([{ ...SENDERS.sms, address: '+12025550101' }]);
    await seedPeople(system, crowd, { count: huge, channel: 'sms' });
    await seedPeople(system, tenant, { count: few, channel: 'sms' });
    const { idle, busy } = await besideBulk(bench, {
      system,
      crowd,
      bulk: huge,
      tenant,
      class: 'bulk',
      audience: { all: true },
      count: few,
      rounds: ROUNDS * bench.sizes.rounds,
    });
    bench.say(`fair share: ${idle.all.toFixed(0)} ms idle, ${busy.all.toFixed(0)} ms beside ${huge}`);
    return { huge, few, idleMs: round(idle.all), ms: round(busy.all), ratio: round(busy.all / idle.all) };
  } finally {
    await system.close();
  }
}
