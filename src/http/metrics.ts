import { collectDefaultMetrics, Gauge, Histogram, Counter, Registry } from 'prom-client';
import { type OperationFact, operationFacts } from '#services/upkeep/operation-facts.ts';
import type { Deps } from './env.ts';
import { progressHub } from './progress-hub.ts';
import type { Observe } from './request-log.ts';

export interface Metrics {
  readonly observe: Observe;
  /** Gives the metrics in the text format of Prometheus. */
  render(): Promise<{ type: string; text: string }>;
}

const MESSAGES = '/v1/messages';

/** What is counted of the requests to this process. */
const requestMetrics = (registers: Registry[]) => ({
  seconds: new Histogram({
    name: 'muster_http_seconds',
    help: 'Time to answer, by route pattern',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 5],
    registers,
  }),
  accepted: new Counter({ name: 'muster_accept_total', help: 'Messages posted, by outcome', labelNames: ['outcome'], registers }),
  acceptSeconds: new Histogram({ name: 'muster_accept_seconds', help: 'Time to accept a message', buckets: [0.01, 0.05, 0.1, 0.3, 1, 3], registers }),
  unavailable: new Counter({ name: 'muster_unavailable_total', help: 'Answers of 503', registers }),
});

/** What the database tells of the whole installation. */
function factGauges(registers: Registry[]) {
  const gauge = (name: string, help: string, labelNames: string[]) => new Gauge({ name, help, labelNames, registers });
  return {
    state: gauge('muster_delivery_state', 'Deliveries of live messages per state', ['lane', 'state']),
    unknownOpen: gauge('muster_unknown_open', 'Deliveries of live messages whose outcome is unknown', ['lane']),
    oldestDue: gauge('muster_oldest_due_seconds', 'Age of the oldest batch that is due and unclaimed', ['lane']),
    live: gauge('muster_messages_live', 'Messages that are live', ['lane']),
    stopped: gauge('muster_senders_stopped', 'Senders that are stopped and wait for a human', ['channel']),
    failing: gauge('muster_senders_failing', 'Senders whose provider fails and is left alone', ['channel']),
  };
}
type FactGauges = ReturnType<typeof factGauges>;

type Show = (gauges: FactGauges, fact: { lane: string; label: string; value: number }) => void;

/** How each fact is shown. A fact without a gauge is a type error. */
const SHOWN: Readonly<Record<OperationFact['name'], Show>> = {
  delivery_state: ({ state, unknownOpen }, { lane, label, value }) => {
    state.set({ lane, state: label }, value);
    if (label === 'unknown') unknownOpen.set({ lane }, value);
  },
  oldest_due_seconds: ({ oldestDue }, { lane, value }) => oldestDue.set({ lane }, value),
  messages_live: ({ live }, { lane, value }) => live.set({ lane }, value),
  senders_stopped: ({ stopped }, { label, value }) => stopped.set({ channel: label }, value),
  senders_failing: ({ failing }, { label, value }) => failing.set({ channel: label }, value),
};

/** A newer database may tell facts that this process does not know; they are left out. */
const shownBy = (name: OperationFact['name']): Show | undefined => SHOWN[name];

/** Metrics of an API process. Labels are patterns, lanes, states and channels: nothing of any person. */
export function createMetrics(deps: Deps): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const { seconds, accepted, acceptSeconds, unavailable } = requestMetrics(registers);
  const gauges = factGauges(registers);
  const reachable = new Gauge({ name: 'muster_store_up', help: '1 while the database answers', registers });
  const watchers = new Gauge({ name: 'muster_progress_watchers', help: 'Open event streams', registers });

  async function readFacts(): Promise<void> {
    for (const gauge of Object.values(gauges)) gauge.reset();
    watchers.set(progressHub(deps).stats.watchers);
    try {
      for (const { name, lane, label, value } of await operationFacts(deps)) shownBy(name)?.(gauges, { lane: lane ?? '', label, value });
      reachable.set(1);
    } catch {
      // The metrics must come even when the database does not: that is when somebody reads them.
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
