import { type Bench, startMuster } from '#bench/bench.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { round } from '#bench/statistics.ts';
import { besideBulk } from './beside.ts';

export interface LanesResult {
  readonly bulk: number;
  readonly life: number;
  readonly idleFirstCallMs: number | null;
  readonly firstCallMs: number | null;
  readonly idleMs: number | null;
  readonly ms: number | null;
  /** Time until the life message's last row beside bulk, divided by the same time on an idle installation. */
  readonly ratio: number | null;
}

/** A life message while the same tenant's bulk message is in flight. */
export async function lanes(bench: Bench): Promise<LanesResult> {
  const { bulk, life } = bench.sizes;
  const system = await startMuster(bench, { smsUrl: bench.http.witnessUrl });
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    await seedPeople(system, tenant, { count: bulk, channel: 'sms', first: life });
    const { idle, busy } = await besideBulk(bench, {
      system,
      crowd: tenant,
      bulk,
      tenant,
      class: 'life',
      audience: { tags: ['first'] },
      count: life,
      rounds: bench.sizes.rounds,
    });
    bench.say(`lanes: first call ${idle.first.toFixed(0)} ms idle, ${busy.first.toFixed(0)} ms beside bulk`);
    return {
      bulk,
      life,
      idleFirstCallMs: round(idle.first),
      firstCallMs: round(busy.first),
      idleMs: round(idle.all),
      ms: round(busy.all),
      ratio: round(busy.all / idle.all),
    };
  } finally {
    await system.close();
  }
}
