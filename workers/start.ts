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

/**
 * Batches in flight for each lane and process. With four of them mark, send and settle overlap; more only leave more in doubt
 * after a crash.
 */
const SLOTS: Record<MessageClass, number> = { life: 4, ops: 4, bulk: 4 };
const SWEEP_MS = 1_000;
const FORGET_MS = 3_600_000;
/** Milliseconds from SIGTERM to the exit. What is not settled by then is in doubt, and the sweep finds it. */
const DRAIN_MS = 18_000;

export interface RunningWorker {
  close(): Promise<void>;
}

interface OpenLane {
  readonly name: MessageClass;
  readonly lane: Lane;
  readonly db: Database;
  readonly carriers: Channels;
  readonly plans: SendPlans;
}

/**
 * Each lane has connections of its own, to the database and to the carriers: a life message queued behind the 750 calls
 * that a campaign may have marked on the same 32 connections, at 100 ms an answer for three seconds.
 */
function openLane({ deps, config, log, admit, channels }: Runtime, name: MessageClass, courtesy: Courtesy, recalls: Recalls): OpenLane {
  const db = openDatabase({
    url: config.databaseUrl,
    role: 'muster_worker',
    max: SLOTS[name] * 2 + 1,
    name: `muster-worker-${name}`,
    log,
    admit,
    keysOnly: true,
  });
  const carriers = createChannels(channels, { log });
  const plans = new SendPlans(deps, carriers);
  const beforeMark = name === 'life' ? courtesy.lifeMarks : name === 'bulk' ? courtesy.giveWay : () => undefined;
  const workerName = `${hostname()}:${process.pid}`;
  const lane = new Lane({ lane: name, slots: SLOTS[name], db, workerName, deps: { ...deps, recalls, plans, random: Math.random, beforeMark }, log });
  return { name, lane, db, carriers, plans };
}

/** One worker process: lanes, planner, closer and sweep. Any number may run, on any hosts. */
export async function startWorker(runtime: Runtime): Promise<RunningWorker> {
  const { deps, config, log } = runtime;
  const courtesy = new Courtesy();
  const recalls = new Recalls();
  const stops = await watchStops(deps, recalls);
  const open = config.workerLanes.map((name) => openLane(runtime, name, courtesy, recalls));
  const lanes = new Map(open.map(({ name, lane }) => [name, lane]));
  const life = open.find(({ name }) => name === 'life');
  const warmedUp = life && warmUp(log, () => warmUpDelivery(life.db, life.plans, life.name));
  let stopping = false;
  const beforePage = async (lane: MessageClass): Promise<boolean> => {
    if (lane === 'bulk') await courtesy.giveWay();
    return true;
  };
  // The sweep does not wait, since leases would pass meanwhile; it comes again.
  const unlessLifeMoves = (lane: MessageClass): Promise<boolean> => Promise.resolve(lane !== 'bulk' || !courtesy.lifeMoves);
  const handlers: Handlers = {
    plan: ({ tenantId, waveId }) => planWave(deps, tenantId, waveId, { stopping: () => stopping, beforePage }),
    close: ({ tenantId, messageId }) => closeMessage(deps, tenantId, messageId),
  };
  for (const [name, lane] of lanes)
    handlers[deliverJob(name)] = ({ messageId }) => {
      if (name === 'life') courtesy.lifeComes();
      // null says that a message is only coming: a claim would find nothing while it is written.
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
  // This runs at the start too, since a process that is replaced every hour would never reach its time.
  const forgetting = tick(FORGET_MS, runtime, 'forgetting', () => forgetOld(deps), 0);
  await warmedUp;
  // The life lane claims on two connections now, since what the server compiles for a claim belongs to its connection.
  life?.lane.wake();
  life?.lane.wake();
  log.info({ lanes: config.workerLanes, queue: config.redisUrls.length > 0 ? 'redis' : 'postgres' }, 'worker started');
  return {
    close: async () => {
      stopping = true;
      const deadline = new Promise<void>((done) => setTimeout(done, DRAIN_MS).unref());
      const drained = Promise.all([sweeping.close(), forgetting.close(), consumers.close(), ...open.map(({ lane }) => lane.drain())]);
      await Promise.race([drained, deadline]);
      await stops.close();
      await Promise.allSettled(open.flatMap(({ carriers }) => Object.values(carriers)).map((channel) => channel.close()));
      await Promise.allSettled(open.map(({ db }) => db.close()));
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
