import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Promises, type Row } from '#testing/faults/row.ts';
import { PostgresServer } from '#testing/faults/servers.ts';
import { alive, World } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

const run = (command: string, ...args: string[]): void => {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
};

/** A Postgres of its own runs on a small disk in memory, which something else fills to the last byte. Mounting it needs root. */
export const diskFull: Row = {
  name: 'disk-full',
  about: 'the disk of Postgres is full, then has room again',
  async run(outer, { short, seed }) {
    const people = short ? 1_000 : 5_000;
    const disk = join('/var/tmp', `muster-small-disk-${process.pid}`);
    mkdirSync(disk, { recursive: true, mode: 0o755 });
    run('mount', '-t', 'tmpfs', '-o', 'size=256m,mode=755', 'tmpfs', disk);
    let postgres: PostgresServer | undefined;
    let world: World | undefined;
    try {
      postgres = await PostgresServer.start(join(disk, 'data'), { max_wal_size: '48MB', min_wal_size: '32MB', shared_buffers: '32MB' });
      world = await World.create({ postgres, redis: outer.redis, seed });
      return await fill(world, disk, people, short);
    } finally {
      await world?.close();
      await postgres?.close().catch(() => undefined);
      run('umount', '-l', disk);
      rmSync(disk, { recursive: true, force: true });
    }
  },
};

async function fill(world: World, disk: string, people: number, short: boolean) {
  await world.people(people, { tag: 'many' });
  await world.people(1, { first: 500_000, tag: 'one' });
  await world.start({ workers: 1 });
  const accepted: string[] = [];
  const statuses = new Map<number, number>();
  const post = async (): Promise<boolean> => {
    const answer = await world
      .call<{ id: string }>(
        'POST',
        '/v1/messages',
        { class: 'ops', text: { en: 'Small' }, audience: { tags: ['one'] }, channels: ['sms'], launch: true },
        { timeoutMs: 15_000 },
      )
      .catch(() => ({ status: 0, body: { id: '' } }));
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    if (answer.status === 201) accepted.push(world.idOf(answer.body.id));
    return answer.status === 201;
  };
  world.simulator.control({ sms: { latencyMs: 60, latencyJitterMs: 40 } });
  const message = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
  await until(() => world.simulator.state().calls > people / 10, 60_000, 'no calls');
  const ballast = join(disk, 'ballast');
  spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k']);
  let refused = 0;
  for (const end = performance.now() + (short ? 5_000 : 20_000); performance.now() < end; await delay(100)) if (!(await post())) refused += 1;
  writeFileSync(ballast, '');
  rmSync(ballast);
  // Without room for its log Postgres ends by itself, and its supervisor starts it again.
  const ended = await world.number('SELECT 1 AS n').then(
    () => false,
    () => true,
  );
  if (ended) {
    await world.postgres.crash();
    await world.postgres.up();
  }
  const recoverMs = await until(post, 60_000, () => `no message is accepted again\n${world.tail()}`);
  await world.settled([message.id, ...accepted], { timeoutMs: 180_000 });
  const ids = [message.id, ...accepted];
  const verdict = await world.check(ids);
  const stored = await world.number('SELECT count(*) AS n FROM messages WHERE id = ANY ($1::bigint[])', [ids]);
  const promises = new Promises();
  promises.hold(refused > 0, 'nothing was refused: the disk was not full');
  promises.hold(stored === ids.length, `${ids.length - stored} accepted messages are gone`);
  promises.none(verdict, 'lost', 'doubled');
  promises.hold([...world.apis, ...world.workers].every(alive), `a process ended\n${world.tail()}`);
  promises.hold(
    [...statuses.keys()].every((status) => status === 201 || status === 503),
    `statuses ${JSON.stringify([...statuses])}`,
  );
  return promises.result(verdict, {
    injected: 'disk of 256 MB filled, then freed',
    recoverMs,
    notes: [[...statuses].map(([status, n]) => `${n} x ${status}`).join(', '), ended ? 'Postgres had ended and was started again' : 'Postgres ran on'],
  });
}
