import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Verdict } from '#testing/faults/check.ts';
import { Promises, type Row } from '#testing/faults/row.ts';
import type { World } from '#testing/faults/world.ts';
import { SLOW_MS, slowCampaign } from '#testing/faults/slow-campaign.ts';
import { until } from '#testing/until.ts';

/** The carrier's delay is long enough that calls are always under way, and short enough that it does not hide our own. */
const LATENCY = { sms: { latencyMs: 10, latencyJitterMs: 10 } };

/**
 * Makes the database count what is in flight in the same snapshot that the stop reads its counters with. A row policy that lets
 * everything pass is evaluated inside that statement, and its STABLE function sees what the statement sees. No other session
 * sees the stop's entry before it is committed, so the first count that is reported is the stop's own.
 */
async function watchStop(world: World): Promise<{ inFlight: () => Promise<number>; close: () => Promise<void> }> {
  const client = new pg.Client({ connectionString: world.databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`
    CREATE FUNCTION count_at_stop(message bigint) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
    BEGIN
      IF current_setting('faults.counted', true) = 'yes' OR NOT EXISTS (SELECT 1 FROM audit_log WHERE action = 'message.stop' AND object = message::text) THEN
        RETURN true;
      END IF;
      PERFORM set_config('faults.counted', 'yes', true);
      PERFORM pg_notify('counted', count(*)::text) FROM deliveries WHERE message_id = message AND state = 'attempting';
      RETURN true;
    END $$;
    CREATE POLICY counted ON delivery_counts AS RESTRICTIVE FOR SELECT TO muster_api USING (count_at_stop(message_id));
    LISTEN counted`);
  const told: number[] = [];
  client.on('notification', ({ payload }) => told.push(Number(payload)));
  return {
    inFlight: async () => {
      await until(() => told.length > 0, 10_000, 'the stop read no counters');
      return told[0] ?? 0;
    },
    close: () => client.end(),
  };
}

export const stop: Row = {
  name: 'stop',
  about: 'a message stopped at half of its audience',
  async run(world, { short }) {
    const people = short ? 4_000 : 20_000;
    await world.people(people);
    await world.start({ workers: short ? 1 : 2 });
    world.simulator.control(LATENCY);
    const watched = await watchStop(world);
    const message = await world.launch({ class: 'bulk' });
    await until(() => world.simulator.state().calls >= people / 2, 120_000, 'half is not reached', 5);
    // With this delay calls are under way at the stop, however long the machine takes to store it.
    world.simulator.control({ sms: { latencyMs: 600 } });
    await delay(100);
    const asked = Date.now();
    const { body } = await world.call<{ inFlight: number; cancelled: number }>('POST', `/v1/messages/${message.publicId}/stop`);
    const answered = Date.now();
    await world.settled([message.id]);
    const verdict = await world.check([message.id]);
    // This time was written inside the stop's transaction, while it held the lock alone.
    const stoppedAt = await world.number(`SELECT extract(epoch FROM at) * 1000 AS n FROM audit_log WHERE action = 'message.stop' AND object = $1`, [
      message.id,
    ]);
    const late = verdict.rows.filter((row) => row.attempts > 0 && (row.markedAt ?? 0) > stoppedAt).length;
    const inFlight = await watched.inFlight();
    await watched.close();
    const last = Math.max(...verdict.calls.map((call) => call.at));
    const effectMs = Math.max(0, last - stoppedAt);
    const promises = new Promises();
    promises.hold(stoppedAt > 0, 'the stop left no entry');
    promises.hold(late === 0, `${late} marks after the stop`);
    promises.hold(effectMs <= 1_000, `calls until ${Math.round(effectMs)} ms after the stop`);
    promises.hold(inFlight > 0, 'nothing was in flight at the stop: the count proves nothing');
    promises.hold(body.inFlight === inFlight, `${body.inFlight} reported in flight, ${inFlight} were`);
    const { takenBack } = told(verdict, body, stoppedAt, promises);
    promises.none(verdict, 'lost', 'doubled', 'miscounted');
    promises.hold(verdict.states.cancelled > 0, 'nothing was left to cancel');
    return promises.result(verdict, {
      injected: 'stop at half',
      people,
      recoverMs: effectMs,
      notes: [
        `calls marked after the stop ${late}`,
        `answered in ${answered - asked} ms, last call ${Math.round(effectMs)} ms after the stop, ${Math.max(0, last - asked)} ms after the request`,
        `${body.inFlight} reported in flight, ${inFlight} were, ${takenBack} of them taken back; ${verdict.states.cancelled} cancelled`,
      ],
    });
  },
};

/** Compares the numbers that the stop answered with what became of those people. */
function told(verdict: Verdict, body: { inFlight: number; cancelled: number }, stoppedAt: number, promises: Promises): { takenBack: number } {
  const takenBack = verdict.rows.filter((row) => row.state === 'cancelled' && row.code === 'not_called').length;
  const before = verdict.states.cancelled - takenBack;
  promises.hold(body.cancelled === before, `${body.cancelled} reported cancelled, ${before} are beside those taken back`);
  // A delivery that was in flight was settled after the stop, or is one of those that were recalled.
  const settledLater = verdict.rows.filter((row) => row.attempts > 0 && (row.settledAt ?? 0) > stoppedAt).length;
  promises.hold(body.inFlight <= takenBack + settledLater, `${body.inFlight} reported in flight, ${takenBack} taken back and ${settledLater} settled later`);
  return { takenBack };
}

/** Stops the installation as the runbook says where no API is left, so that nobody notifies the workers. */
async function stopByHand(world: World, messageId: string): Promise<{ body: { inFlight: number } }> {
  await world.pool.query(`UPDATE installation SET stopped_at = clock_timestamp(), stopped_by = 'by hand'`);
  return { body: { inFlight: await world.number(`SELECT count(*) AS n FROM deliveries WHERE message_id = $1 AND state = 'attempting'`, [messageId]) } };
}

/**
 * Stops a message, a channel, a tenant and the installation, each in the midst of a campaign on a carrier that takes 2 s for
 * each answer.
 */
export const stopSlow: Row = {
  name: 'stop-slow',
  about: 'every kind of stop, on a carrier that answers after 2 s',
  async run(world, { short }) {
    const people = short ? 1_000 : 4_000;
    await world.people(people);
    await world.start({ workers: 2 });
    const promises = new Promises();
    const notes: string[] = [];
    const messages: string[] = [];
    let [latest, all] = [0, 0];
    for (const level of ['message', 'channel', 'tenant', 'installation'] as const) {
      const message = await slowCampaign(world, people / 10);
      messages.push(message.id);
      const { body } = await (level === 'message'
        ? world.call<{ inFlight: number }>('POST', `/v1/messages/${message.publicId}/stop`)
        : level === 'installation'
          ? stopByHand(world, message.id)
          : world.call<{ inFlight: number }>('POST', '/v1/stop', { scope: level, ...(level === 'channel' ? { channel: 'sms' } : {}) }));
      const stoppedAt = await world.number(
        `SELECT extract(epoch FROM GREATEST(i.stopped_at, (SELECT max(at) FROM audit_log WHERE action IN ('stop', 'message.stop')))) * 1000 AS n FROM installation i`,
      );
      promises.hold(stoppedAt > 0, `${level}: the stop left no entry`);
      // The carrier's answers free its connections for further calls, and none may come.
      await until(
        async () => (await world.number(`SELECT count(*) AS n FROM deliveries WHERE message_id = $1 AND state = 'attempting'`, [message.id])) === 0,
        30_000,
        `${level}: calls do not end`,
      );
      await delay(SLOW_MS / 2);
      const calls = world.calls().filter((call) => call.messageId === message.id);
      const effectMs = Math.max(0, Math.max(...calls.map((call) => call.at)) - stoppedAt);
      const back = await world.number(`SELECT count(*) AS n FROM deliveries WHERE message_id = $1 AND code = 'not_called'`, [message.id]);
      promises.hold(effectMs <= 1_000, `${level}: calls until ${Math.round(effectMs)} ms after the stop`);
      promises.hold(calls.length < people, `${level}: everybody had been called before the stop`);
      promises.hold(body.inFlight > 0 && back > 0, `${level}: ${body.inFlight} in flight and ${back} taken back prove nothing`);
      notes.push(`${level}: ${body.inFlight} in flight, ${back} taken back, last call ${Math.round(effectMs)} ms after`);
      latest = Math.max(latest, effectMs);
      all += people;
      if (level !== 'message') {
        await world.call('POST', `/v1/messages/${message.publicId}/stop`);
        if (level === 'installation') await world.pool.query('UPDATE installation SET stopped_at = NULL, stopped_by = NULL');
        else await world.call('POST', '/v1/stop', { scope: level, ...(level === 'channel' ? { channel: 'sms' } : {}), release: true });
      }
      await world.settled([message.id]);
    }
    const verdict = await world.check(messages);
    promises.none(verdict, 'lost', 'doubled', 'miscounted', 'inDoubt');
    promises.hold(verdict.unmarked === 0, `${verdict.unmarked} calls of people who were taken back`);
    return promises.result(verdict, {
      injected: `stop of message, channel, tenant, installation; answers after ${SLOW_MS / 1_000} s`,
      people: all,
      recoverMs: latest,
      notes,
    });
  },
};

export const correct: Row = {
  name: 'correct',
  about: 'a message corrected while it is being sent',
  async run(world, { short }) {
    const people = short ? 4_000 : 20_000;
    await world.people(people);
    await world.start({ workers: 2 });
    // Some calls stay in doubt and some are refused, since both matter for the question who may have had the message.
    world.simulator.control({ sms: { ...LATENCY.sms, cutShare: 0.01, takenShare: 0.5, refusedShare: 0.02 } });
    const message = await world.launch({ class: 'ops', text: { en: 'Wrong text' } });
    await until(() => world.simulator.state().calls >= people * 0.37, 120_000, '37 % is not reached', 5);
    world.simulator.control({ sms: { cutShare: 0, refusedShare: 0 } });
    const asked = Date.now();
    const answer = await world.call<{ id: string }>('POST', `/v1/messages/${message.publicId}/correct`, { text: { en: 'Right text' } });
    if (answer.status !== 201) throw new Error(`correct: ${answer.status} ${JSON.stringify(answer.body)}`);
    const correction = world.idOf(answer.body.id);
    await world.settled([message.id, correction]);
    const verdict = await world.check([message.id]);
    const second = await world.check([correction]);
    const mayHave = new Set([
      ...verdict.calls.filter((call) => call.taken).map((call) => call.recipientId),
      ...verdict.rows.filter((row) => ['accepted', 'unknown', 'unresolved', 'delivered'].includes(row.state)).map((row) => row.recipientId),
    ]);
    const corrected = new Set(second.rows.map((row) => row.recipientId));
    const told = new Set(second.calls.filter((call) => call.taken).map((call) => call.recipientId));
    const missing = [...mayHave].filter((id) => !corrected.has(id) || !told.has(id)).length;
    const extra = [...corrected].filter((id) => !mayHave.has(id)).length;
    const stoppedAt = await world.number(`SELECT extract(epoch FROM at) * 1000 AS n FROM audit_log WHERE action = 'message.stop' AND object = $1`, [
      message.id,
    ]);
    const late = verdict.rows.filter((row) => row.attempts > 0 && (row.markedAt ?? 0) > stoppedAt).length;
    const lastWrong = Math.max(...verdict.calls.filter((call) => call.body.includes('Wrong')).map((call) => call.at)) - asked;
    const shown = Math.max(...second.calls.map((call) => call.at)) - asked;
    const promises = new Promises();
    promises.hold(missing === 0, `${missing} who may have had it were not corrected`);
    promises.hold(extra === 0, `${extra} were corrected who cannot have had it`);
    promises.hold(late === 0, `${late} marks of the wrong text after the stop`);
    promises.hold(second.doubled === 0, `correction doubled ${second.doubled}`);
    promises.hold(verdict.miscounted + second.miscounted === 0, `counters differ from rows by ${verdict.miscounted + second.miscounted}`);
    return promises.result(verdict, {
      injected: 'correction at 37 %',
      people,
      lost: missing,
      doubled: second.doubled,
      recoverMs: shown,
      notes: [
        `may have had it ${mayHave.size}, corrected ${corrected.size}, nobody else ${extra}`,
        `last wrong text ${Math.max(0, lastWrong)} ms after the request`,
      ],
    });
  },
};
