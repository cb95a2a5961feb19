import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '#platform/free-port.ts';
import { isRunning, killChild } from '#testing/child.ts';
import { startRedisServer } from '#testing/redis-server.ts';
import { until } from '#testing/until.ts';
import { endsWithRunner } from './leftovers.ts';

/** BullMQ's prefix, which is a hash tag, so all of its keys are in one slot. */
const TAG = '{muster}';
/** Milliseconds that the other members wait for a silent master before they vote for its replica. */
const NODE_TIMEOUT_MS = 5_000;

interface Node {
  readonly port: number;
  readonly process: ChildProcess;
}

async function startNode(folder: string, port: number, busPort: number): Promise<Node> {
  const dir = join(folder, `redis-${port}`);
  mkdirSync(dir, { recursive: true });
  const settings = {
    'cluster-enabled': 'yes',
    'cluster-port': String(busPort),
    'cluster-node-timeout': String(NODE_TIMEOUT_MS),
    'repl-diskless-sync-delay': '0',
  };
  return { port, process: await startRedisServer(port, dir, settings) };
}

/** Three masters with a replica each, on loopback. */
export class RedisCluster {
  readonly #nodes: readonly Node[];
  readonly #forget: () => void;

  private constructor(nodes: readonly Node[]) {
    this.#nodes = nodes;
    this.#forget = endsWithRunner(() => this.close());
  }

  static async start(folder: string): Promise<RedisCluster> {
    const nodes: Node[] = [];
    for (let i = 0; i < 6; i++) nodes.push(await startNode(folder, await freePort(), await freePort()));
    const cluster = new RedisCluster(nodes);
    const made = spawnSync('redis-cli', ['--cluster', 'create', ...nodes.map(({ port }) => `127.0.0.1:${port}`), '--cluster-replicas', '1', '--cluster-yes'], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (made.status !== 0) throw new Error(`redis-cli --cluster create: ${made.stdout}${made.stderr}`);
    await until(
      async () => (await cluster.#ask(nodes[0], (client) => client.cluster('INFO'))).includes('cluster_state:ok'),
      30_000,
      'the cluster is not up',
      100,
    );
    await until(async () => (await cluster.#replicasInStep()) === 3, 30_000, 'the replicas are not in step', 100);
    return cluster;
  }

  /** Addresses of the members, as `REDIS_URL` takes them. */
  get url(): string {
    return this.#nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(',');
  }

  async #ask<T>(node: Node | undefined, question: (client: Redis) => Promise<T>): Promise<T> {
    const client = new Redis(node?.port ?? 0, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000, commandTimeout: 2_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await question(client);
    } finally {
      client.disconnect();
    }
  }

  async #replicasInStep(): Promise<number> {
    const infos = await Promise.all(this.#nodes.map((node) => this.#ask(node, (client) => client.info('replication'))));
    return infos.filter((info) => info.includes('role:slave') && info.includes('master_link_status:up')).length;
  }

  /** The master that has the queue's keys, as any living node sees it. */
  async #owner(): Promise<Node | undefined> {
    for (const node of this.#nodes.filter((one) => isRunning(one.process))) {
      const port = await this.#ask(node, async (client) => {
        const slot = Number(await client.cluster('KEYSLOT', TAG));
        const ranges = await client.cluster('SLOTS');
        // The master stands first after the range.
        return ranges.find(([from, to]) => slot >= from && slot <= to)?.[2]?.[1];
      }).catch(() => undefined);
      if (port !== undefined) return this.#nodes.find((one) => one.port === port);
    }
    return undefined;
  }

  /** How many connections wait for the next job on the queue's master; each consumer has one. */
  async waitingConsumers(): Promise<number> {
    const info = await this.#ask(await this.#owner(), (client) => client.info('clients')).catch(() => '');
    return Number(/blocked_clients:(\d+)/.exec(info)?.[1] ?? 0);
  }

  /** How many jobs no consumer has taken yet, over all queues. */
  async waitingJobs(): Promise<number> {
    return this.#ask(await this.#owner(), async (client) => {
      const keys = await client.keys(`${TAG}:*:wait`);
      const lengths = await Promise.all(keys.map((key) => client.llen(key)));
      return lengths.reduce((sum, n) => sum + n, 0);
    });
  }

  /** Kills the master that has the queue's keys. @returns resolves to the milliseconds until a replica has taken over */
  async killMaster(): Promise<() => Promise<number>> {
    const victim = await this.#owner();
    if (!victim) throw new Error('nobody has the slot of the queue');
    const started = performance.now();
    await killChild(victim.process);
    return async () => {
      await until(
        async () => {
          const owner = await this.#owner();
          return owner !== undefined && owner !== victim;
        },
        60_000,
        'no replica takes over',
        50,
      );
      return performance.now() - started;
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => killChild(node.process)));
    this.#forget();
  }
}
