import pg from 'pg';
import { Promises, type Row } from '#testing/faults/row.ts';
import { until, type World } from '#testing/faults/world.ts';

/** Long enough for the campaign to be in full swing, short enough that the carrier's own delay does not hide ours. */
const LATENCY = { sms: { latencyMs: 10, latencyJitterMs: 10 } };

/**
 * Has the database count who is in flight in the very snapshot that the stop reads its counters with: a policy that lets
 * everything pass is asked inside that statement, and a STABLE function sees what its statement sees. Nobody else sees
 * the stop's entry before it is committed, so the first count told is the stop's own.
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
    await world.startApi();
    await Promise.all(Array.from({ length: short ? 1 : 2 }, () => world.startWorker()));
    world.simulator.control(LATENCY);
    const watched = await watchStop(world);
    const message = await world.launch({ class: 'bulk' });
    await until(() => world.simulator.state().calls >= people / 2, 120_000, 'half is not reached', 5);
    const asked = Date.now();
    const { body } = await world.call<{ inFlight: number; cancelled: number }>('POST', `/v1/messages/${message.publicId}/stop`);
    const answered = Date.now();
    await world.settled([message.id]);
    const verdict = await world.check([message.id]);
    // Written inside the stop's transaction, while it holds the lock alone.
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
    promises.hold(body.cancelled === verdict.states.cancelled, `${body.cancelled} reported cancelled, ${verdict.states.cancelled} are`);
    promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
    promises.hold(verdict.doubled === 0, `doubled ${verdict.doubled}`);
    promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
    promises.hold(verdict.states.cancelled > 0, 'nothing was left to cancel');
    return {
      injected: 'stop at half',
      people,
      lost: verdict.lost,
      doubled: verdict.doubled,
      inDoubt: verdict.inDoubt,
      recoverMs: effectMs,
      notes: [
        `calls marked after the stop ${late}`,
        `answered in ${answered - asked} ms, last call ${Math.round(effectMs)} ms after the stop, ${Math.max(0, last - asked)} ms after the request`,
        `${body.inFlight} reported in flight, ${inFlight} were; ${verdict.states.cancelled} cancelled`,
      ],
      broken: promises.broken,
    };
  },
};

export const correct: Row = {
  name: 'correct',
  about: 'a message corrected while it is being sent',
  async run(world, { short }) {
    const people = short ? 4_000 : 20_000;
    await world.people(people);
    await world.startApi();
    await Promise.all([world.startWorker(), world.startWorker()]);
    // Some calls stay in doubt, some are refused: both matter for who may have had it.
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
    return {
      injected: 'correction at 37 %',
      people,
      lost: missing,
      doubled: second.doubled,
      inDoubt: verdict.inDoubt,
      recoverMs: shown,
      notes: [
        `may have had it ${mayHave.size}, corrected ${corrected.size}, nobody else ${extra}`,
        `last wrong text ${Math.max(0, lastWrong)} ms after the request`,
      ],
      broken: promises.broken,
    };
  },
};
