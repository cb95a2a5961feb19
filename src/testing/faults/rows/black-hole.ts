import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Promises, type Result, type Row, type Size } from '#testing/faults/row.ts';
import { nextMessage } from '#testing/child.ts';
import type { World } from '#testing/faults/world.ts';
import { trouble } from './provider.ts';

const PROXY = fileURLToPath(new URL('../proxy-main.ts', import.meta.url));
/** How many connections the kernel accepts that are never served; the handshake of all others is dropped. */
const BACKLOG = 4;

/** The way to the provider swallows everything: connections that are open get no answer, and no new one is made. */
async function blackHole(world: World, size: Size): Promise<Result> {
  const proxy = fork(PROXY, [new URL(world.simulator.url).port, String(BACKLOG)]);
  try {
    const url = await nextMessage<string>(proxy, 'the proxy ended');
    return await trouble(world, size, {
      injected: `no answer and no connection, ${size.short ? '3 s' : '30 s'}`,
      begin: () => proxy.kill('SIGSTOP'),
      end: () => proxy.kill('SIGCONT'),
      worker: { TWILIO_API_URL: url },
      seconds: 30,
    });
  } finally {
    proxy.kill('SIGKILL');
  }
}

export const providerBlackHole: Row = {
  name: 'provider-black-hole',
  about: 'the carrier neither answers nor accepts connections',
  run: blackHole,
};

/** Everything that a campaign writes waits for a lock, so all of its lane's connections are in use and more are asked for. */
async function poolExhausted(world: World, size: Size): Promise<Result> {
  const owner = new pg.Client({ connectionString: world.databaseUrl });
  await owner.connect();
  let most = 0;
  const looking = setInterval(() => {
    void world
      .number(
        `SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'muster-worker-bulk' AND wait_event_type = 'Lock' AND datname = current_database()`,
      )
      .then((n) => (most = Math.max(most, n)));
  }, 250);
  try {
    const result = await trouble(world, size, {
      injected: `every connection of the campaign lane waits for a lock, ${size.short ? '3 s' : '30 s'}`,
      begin: async () => {
        await owner.query('BEGIN');
        await owner.query(`SELECT 1 FROM messages WHERE class = 'bulk' FOR UPDATE`);
      },
      end: () => owner.query('ROLLBACK'),
      seconds: 30,
      // With so many people the message is still being sent when the lock is taken.
      shortPeople: 2_500,
    });
    const promises = new Promises();
    promises.hold(most >= (size.short ? 4 : 9), `only ${most} connections waited: the pool was not exhausted`);
    return { ...result, notes: [...result.notes, `${most} connections waited at once`], broken: [...result.broken, ...promises.broken] };
  } finally {
    clearInterval(looking);
    await owner.end();
  }
}

export const databasePool: Row = {
  name: 'pool-exhausted',
  about: 'all database connections of the campaign lane are taken',
  run: poolExhausted,
};
