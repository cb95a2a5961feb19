import { setTimeout as delay } from 'node:timers/promises';
import { Promises, type Row } from '#testing/faults/row.ts';
import { alive, until } from '#testing/faults/world.ts';

/** Immediate stops under load: what was answered 201 must be there and must be sent; every process stays. */
export const postgresCrash: Row = {
  name: 'postgres-crash',
  about: 'Postgres stopped immediately, several times, under load',
  async run(world, { short }) {
    const people = short ? 2_000 : 10_000;
    const crashes = short ? 2 : 10;
    await world.people(people, { tag: 'many' });
    await world.people(1, { first: 500_000, tag: 'one' });
    await world.startApi();
    await Promise.all([world.startWorker(), world.startWorker()]);
    const accepted = new Map<string, string>();
    let sent = 0;
    let unavailable = 0;
    const odd: string[] = [];
    const over = new AbortController();
    // A client as it should be: a key for each message, the same key again until there is an answer.
    const client = async (n: number): Promise<void> => {
      for (let i = 0; !over.signal.aborted; i++) {
        const key = `load-${n}-${i}`;
        sent += 1;
        for (;;) {
          const answer = await world
            .call<{ id: string }>(
              'POST',
              '/v1/messages',
              { class: 'ops', text: { en: `Load ${key}` }, audience: { tags: ['one'] }, channels: ['sms'], launch: true },
              { headers: { 'idempotency-key': key }, timeoutMs: 20_000 },
            )
            .catch((error: unknown) => ({ status: 0, body: { id: (error as Error).message } }));
          if (answer.status === 201) {
            accepted.set(key, world.idOf(answer.body.id));
            break;
          }
          if (answer.status === 503 || answer.status === 409) unavailable += 1;
          else odd.push(`${answer.status} ${JSON.stringify(answer.body).slice(0, 120)}`);
          await delay(200);
        }
        await delay(50);
      }
    };
    world.simulator.control({ sms: { latencyMs: 30, latencyJitterMs: 60 } });
    const message = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
    const clients = [1, 2].map(client);
    let recoverMs = 0;
    for (let i = 0; i < crashes; i++) {
      const target = Math.min(people * ((i + 1) / (crashes + 1)), people - 1);
      await Promise.race([until(() => world.simulator.state().calls >= target, 120_000, 'nothing moves'), delay(6_000)]);
      await world.postgres.crash();
      await delay(300);
      await world.postgres.up();
      const answered = accepted.size;
      const calls = world.simulator.state().calls;
      recoverMs = Math.max(
        recoverMs,
        await until(
          () => accepted.size > answered && world.simulator.state().calls > calls,
          60_000,
          () => `not moving again: ${accepted.size} accepted, ${unavailable} refused for now, ${odd.slice(-3).join('; ')}\n${world.tail()}`,
        ),
      );
    }
    over.abort();
    await Promise.all(clients);
    const ids = [message.id, ...accepted.values()];
    await world.settled(ids, { timeoutMs: 180_000 });
    const verdict = await world.check(ids);
    const stored = await world.number('SELECT count(*) AS n FROM messages WHERE id = ANY ($1::bigint[])', [ids]);
    const loadMessages = await world.number(`SELECT count(*) AS n FROM messages WHERE text ->> 'en' LIKE 'Load %'`);
    const bulk = await world.check([message.id]);
    const promises = new Promises();
    promises.hold(stored === ids.length, `${ids.length - stored} accepted messages are gone`);
    promises.hold(new Set(accepted.values()).size === sent && loadMessages === sent, `${sent} keys, ${accepted.size} answers, ${loadMessages} messages`);
    promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
    promises.hold(bulk.doubled === 0, `bulk doubled ${bulk.doubled}`);
    promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
    promises.hold([...world.apis, ...world.workers].every(alive), `a process ended:\n${world.tail()}`);
    promises.hold(odd.length === 0, `answers other than 503: ${odd.slice(0, 3).join('; ')} (${odd.length})`);
    promises.hold(recoverMs <= 10_000, `moving again only after ${Math.round(recoverMs)} ms`);
    return {
      injected: `SIGQUIT x ${crashes}`,
      people: verdict.people,
      lost: verdict.lost,
      doubled: verdict.doubled,
      inDoubt: verdict.inDoubt,
      recoverMs,
      notes: [`${ids.length} messages accepted, ${stored} there`, `${unavailable} answers "not now"`, 'processes that ended: 0'],
      broken: promises.broken,
    };
  },
};
