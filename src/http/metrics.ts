import { collectDefaultMetrics, Gauge, Histogram, Counter, Registry } from 'prom-client';
import { operationFacts } from '#services/upkeep/operation-facts.ts';
import type { Deps } from './env.ts';
import { progressHub } from './progress-hub.ts';
import type { Observe } from './request-log.ts';

export interface Metrics {
  readonly observe: Observe;
  /** Prometheus text format. */
  render(): Promise<{ type: string; text: string }>;
}

const MESSAGES = '/v1/messages';

/** Metrics of an API process. Labels are patterns, lanes, states and channels: nothing of any person. */
export function createMetrics(deps: Deps): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const seconds = new Histogram({
    name: 'muster_http_seconds',
    help: 'Time to answer, by route pattern',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 5],
    registers,
  });
  const accepted = new Counter({ name: 'muster_accept_total', help: 'Messages posted, by outcome', labelNames: ['outcome'], registers });
  const acceptSeconds = new Histogram({ name: 'muster_accept_seconds', help: 'Time to accept a message', buckets: [0.01, 0.05, 0.1, 0.3, 1, 3], registers });
  const unavailable = new Counter({ name: 'muster_unavailable_total', help: 'Answers of 503', registers });

  const state = new Gauge({ name: 'muster_delivery_state', help: 'Deliveries of live messages per state', labelNames: ['lane', 'state'], registers });
  const unknownOpen = new Gauge({ name: 'muster_unknown_open', help: 'Deliveries of live messages whose outcome is unknown', labelNames: ['lane'], registers });
  const oldestDue = new Gauge({
    name: 'muster_oldest_due_seconds',
    help: 'Age of the oldest batch that is due and unclaimed',
    labelNames: ['lane'],
    registers,
  });
  const live = new Gauge({ name: 'muster_messages_live', help: 'Messages that are live', labelNames: ['lane'], registers });
  const stopped = new Gauge({ name: 'muster_senders_stopped', help: 'Senders that are stopped and wait for a human', labelNames: ['channel'], registers });
  const failing = new Gauge({ name: 'muster_senders_failing', help: 'Senders whose provider fails and is left alone', labelNames: ['channel'], registers });
  const reachable = new Gauge({ name: 'muster_store_up', help: '1 while the database answers', registers });
  const watchers = new Gauge({ name: 'muster_progress_watchers', help: 'Open event streams', registers });

  async function readFacts(): Promise<void> {
    for (const gauge of [state, unknownOpen, oldestDue, live, stopped, failing]) gauge.reset();
    watchers.set(progressHub(deps).stats.watchers);
    try {
      for (const { name, lane, label, value } of await operationFacts(deps)) {
        if (name === 'delivery_state') state.set({ lane: lane ?? '', state: label }, value);
        if (name === 'delivery_state' && label === 'unknown') unknownOpen.set({ lane: lane ?? '' }, value);
        if (name === 'oldest_due_seconds') oldestDue.set({ lane: lane ?? '' }, value);
        if (name === 'messages_live') live.set({ lane: lane ?? '' }, value);
        if (name === 'senders_stopped') stopped.set({ channel: label }, value);
        if (name === 'senders_failing') failing.set({ channel: label }, value);
      }
      reachable.set(1);
    } catch {
      // The page itself must come even when the database does not: that is when it is read.
      reachable.set(0);
    }
  }

  return {
    observe: (route, method, status, took) => {
      seconds.observe({ route, method, status: String(status) }, took);
      if (status === 503) unavailable.inc();
      if (route !== MESSAGES || method !== 'POST') return;
      accepted.inc({ outcome: status < 300 ? 'accepted' : status < 500 ? 'refused' : 'failed' });
      acceptSeconds.observe(took);
    },
    render: async () => {
      await readFacts();
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}
