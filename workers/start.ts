import { hostname } from 'node:os';
import { type Channels, createChannels } from '#channels/registry.ts';
import { openDatabase, type Database } from '#db/database.ts';
import { consume, type Handlers } from '#queue/queues.ts';
import { deliverJob } from '#schemas/jobs.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { closeMessage } from '#services/delivery/close-message.ts';
import { forgetOld } from '#services/upkeep/forget-old.ts';
import { planDue } from '#services/planning/plan-due.ts';
import { planWave } from '#services/planning/plan-wave.ts';
import { Recalls } from '#services/delivery/recalls.ts';
import { warmUp } from '#services/upkeep/warm-up.ts';
import { warmUpDelivery } from '#services/delivery/warm-up-delivery.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import type { Runtime } from '#src/runtime.ts';
import { Courtesy } from './courtesy.ts';
import { LaterForecasts } from './forecasts.ts';
import { Lane } from './lane.ts';
import { watchStops } from './stop-watch.ts';

/** Batches in flight per lane and process. Four overlap mark, send and settle; more only make the doubt of a crash larger. */
const SLOTS: Record<MessageClass, number> = { life: 4, ops: 4, bulk: 4 };
const SWEEP_MS = 1_000;
const FORGET_MS = 3_600_000;
/** SIGTERM to exit; what is not settled by then is in doubt and found by the sweep. */
const DRAIN_MS = 18_000;

export interface RunningWorker {
  close(): Promise<void>;
}

/** One worker process: lanes, planner, closer and sweep. Any number may run, on any hosts. */
export async function startWorker(runtime: Runtime): Promise<RunningWorker> {
  const { deps, config, log, channels: installed } = runtime;
  const workerName = `${hostname()}:${process.pid}`;
  // Connections of its own for each lane: a life message queued behind the 750 calls that a campaign may have marked on
  // the same 32 connections, at 100 ms an answer for three seconds.
  const channels: Channels[] = [];
  const databases: Database[] = [];
  const lanes = new Map<MessageClass, Lane>();
  const courtesy = new Courtesy();
  const recalls = new Recalls();
  const stops = await watchStops(deps, recalls);
  let warmedUp = Promise.resolve();
  for (const lane of config.workerLanes) {
    const db = openDatabase({
      url: config.databaseUrl,
      role: 'muster_worker',
      max: SLOTS[lane] * 2 + 1,
      name: `muster-worker-${lane}`,
      log,
      admit: runtime.admit,
      keysOnly: true,
    });
    databases.push(db);
    const carriers = createChannels(installed, { log });
    channels.push(carriers);
    const plans = new SendPlans(deps, carriers);
    if (lane === 'life') warmedUp = warmUp(log, () => warmUpDelivery(db, plans, lane));
    const beforeMark = lane === 'life' ? courtesy.lifeMarks : lane === 'bulk' ? courtesy.giveWay : () => undefined;
    lanes.set(lane, new Lane({ lane, slots: SLOTS[lane], db, workerName, deps: { ...deps, recalls, plans, random: Math.random, beforeMark }, log }));
  }
  let stopping = false;
  const beforePage = async (lane: MessageClass): Promise<boolean> => {
    if (lane === 'bulk') await courtesy.giveWay();
    return true;
  };
  // The sweep does not wait: leases would pass meanwhile. It comes again.
  const unlessLifeMoves = (lane: MessageClass): Promise<boolean> => Promise.resolve(lane !== 'bulk' || !courtesy.lifeMoves);
  const handlers: Handlers = {
    plan: ({ tenantId, waveId }) => planWave(deps, tenantId, waveId, { stopping: () => stopping, beforePage }),
    close: ({ tenantId, messageId }) => closeMessage(deps, tenantId, messageId),
  };
  for (const [name, lane] of lanes)
    handlers[deliverJob(name)] = ({ messageId }) => {
      if (name === 'life') courtesy.lifeComes();
      // Null: one is only coming, and a claim would find nothing while it is written.
      if (messageId !== null) lane.wake();
      return Promise.resolve();
    };
  const consumers = consume(handlers, 4, { redisUrls: config.redisUrls, databaseUrl: config.databaseUrl, log });
  const forecasts = new LaterForecasts(deps);
  const sweeping = tick(SWEEP_MS, runtime, 'sweep', async () => {
    const found = await sweep(deps);
    for (const lane of found.lanes) lanes.get(lane)?.wake();
    forecasts.add(await planDue(deps, found.waves, { stopping: () => stopping, beforePage: unlessLifeMoves, wake: (lane) => lanes.get(lane)?.wake() }));
    if (found.waves.length === 0 && found.lanes.size === 0 && !stopping) await forecasts.some();
  });
  // At the start too: a process that is renewed each hour would never come to it.
  const forgetting = tick(FORGET_MS, runtime, 'forgetting', () => forgetOld(deps), 0);
  await warmedUp;
  // A claim on each connection: what the server compiles for it is of the connection too.
  lanes.get('life')?.wake();
  lanes.get('life')?.wake();
  log.info({ lanes: config.workerLanes, queue: config.redisUrls.length > 0 ? 'redis' : 'postgres' }, 'worker started');
  return {
    close: async () => {
      stopping = true;
      const deadline = new Promise<void>((done) => setTimeout(done, DRAIN_MS).unref());
      await Promise.race([
        Promise.all([sweeping.close(), forgetting.close(), consumers.close(), ...[...lanes.values()].map((lane) => lane.drain())]),
        deadline,
      ]);
      await stops.close();
      await Promise.allSettled(channels.flatMap((lane) => Object.values(lane)).map((channel) => channel.close()));
      await Promise.allSettled(databases.map((db) => db.close()));
    },
  };
}

/** Runs `work` again and again, never twice at once; a failure (database away) is logged and tried again. */
function tick(everyMs: number, { log }: Runtime, name: string, work: () => Promise<void>, firstMs = everyMs): { close(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let running: Promise<void> = Promise.resolve();
  const next = (ms: number): void => {
    if (closed) return;
    timer = setTimeout(() => {
      running = work().catch((error: unknown) => log.warn({ error: (error as Error).message }, `${name} failed; it is tried again`));
      void running.then(() => next(everyMs));
    }, ms);
  };
  next(firstMs);
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}
