import { Promises, type Row } from '#testing/faults/row.ts';
import { alive, end, kill } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

/** Some rows hold what the import would have refused: an address with a line break, which no mail can be made for. */
export const poisonRows: Row = {
  name: 'poison-rows',
  about: '1 % of the people cannot be rendered',
  async run(world, { short }) {
    const people = short ? 1_000 : 10_000;
    await world.people(people, { mail: true });
    await world.pool.query(`UPDATE recipients SET email = 'eve' || id || E'\\r\\nrcpt to:<all@example.test' WHERE tenant_id = $1 AND id % 100 = 0`, [
      world.tenantId,
    ]);
    const poisoned = await world.number(`SELECT count(*) AS n FROM recipients WHERE tenant_id = $1 AND email LIKE 'eve%'`, [world.tenantId]);
    await world.start({ workers: 1 });
    const message = await world.launch({ class: 'bulk', channels: ['email'] });
    await world.settled([message.id]);
    const verdict = await world.check([message.id]);
    const sent = verdict.states.accepted + verdict.states.delivered;
    const promises = new Promises();
    promises.hold(poisoned > 0, 'nobody was poisoned');
    promises.hold(verdict.states.failed === poisoned, `${verdict.states.failed} failed, ${poisoned} poisoned`);
    promises.hold(sent === people - poisoned, `${sent} of the other ${people - poisoned} were sent`);
    promises.none(verdict, 'lost', 'doubled');
    return promises.result(verdict, {
      injected: `${poisoned} rows that cannot be rendered`,
      people,
      notes: [
        `the others sent: ${sent} of ${people - poisoned}`,
        `codes ${[...new Set(verdict.rows.filter((row) => row.state === 'failed').map((row) => row.code))].join(', ')}`,
      ],
    });
  },
};

/**
 * The delivery to one person kills the process each time. No honest input does that to a sound worker, so the runner does it:
 * as soon as the carriers' log has a call to that number, it kills the worker that called.
 */
export const poisonProcess: Row = {
  name: 'poison-process',
  about: 'one person whose delivery kills the process, life message',
  async run(world, { short }) {
    const people = short ? 600 : 3_000;
    const deadly = '+12022000007';
    await world.people(people);
    await world.startApi();
    const deadlyId = String(await world.number('SELECT id AS n FROM recipients WHERE phone = $1', [deadly]));
    await world.startWorker();
    // The carrier never answers calls to this number, so the worker dies with the call under way.
    world.simulator.control({ sms: { latencyMs: 5 }, addresses: { [deadly]: { fate: 'silent' } } });
    const message = await world.launch({ class: 'life' });
    // The carrier's first callback would prove that it has the call, so no API is there to take it.
    for (const api of world.apis) await end(api);
    let deaths = 0;
    let seen = 0;
    const started = performance.now();
    await until(
      async () => {
        const calls = world.calls().filter((call) => call.recipientId === deadlyId).length;
        if (calls > seen) {
          seen = calls;
          const victim = world.workers.find(alive);
          if (victim) await kill(victim);
          deaths += 1;
          await world.startWorker();
        }
        return (await world.open([message.id], true)) === 0;
      },
      300_000,
      () => `the message does not end\n${world.tail()}`,
      20,
    );
    const tookMs = performance.now() - started;
    const verdict = await world.check([message.id]);
    const state = verdict.rows.find((row) => row.recipientId === deadlyId);
    const others = verdict.rows.filter((row) => row.recipientId !== deadlyId && (row.state === 'accepted' || row.state === 'delivered')).length;
    const unsent = verdict.rows
      .filter((row) => row.recipientId !== deadlyId && row.state !== 'accepted' && row.state !== 'delivered')
      .map(
        (row) => `${row.state} ${row.code}, ${row.attempts} attempts, ${verdict.calls.filter((call) => call.key === row.key && call.taken).length} calls taken`,
      );
    const promises = new Promises();
    promises.hold(others === people - 1, `${others} of the other ${people - 1} were sent: ${unsent.slice(0, 3).join('; ')}`);
    promises.none(verdict, 'lost');
    promises.hold(state?.state === 'failed', `the deadly row is ${state?.state}`);
    // A life delivery is given up after six calls, and never earlier, since workers also die for other reasons.
    promises.hold(deaths <= 6, `it killed the process ${deaths} times`);
    return promises.result(verdict, {
      injected: 'one row that kills the process each time',
      people,
      recoverMs: tookMs,
      notes: [`deaths ${deaths}, the others sent: ${others} of ${people - 1}`, `set aside as ${state?.state} (${state?.code})`],
    });
  },
};
