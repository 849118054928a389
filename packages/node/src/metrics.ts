/**
 * What the node tells Prometheus. Threads count in plain objects, which cost next to nothing and can be posted; this
 * module owns the names and help texts, and turns the objects into text when somebody asks.
 *
 * A thread's `MetricSamples` name metrics without the prefix `cairn_`, so that a misspelt one does not compile.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { getHeapStatistics } from 'node:v8';
import { assert } from '@cairn-ledger/core';
import { type Metric, Registry } from 'prom-client';

type MetricType = 'counter' | 'gauge' | 'histogram';
type Definition = { readonly type: MetricType; readonly help: string; readonly labels?: readonly string[] };

export const metricDefinitions = {
  build_info: { type: 'gauge', help: 'Always 1; labels say what runs here.', labels: ['version', 'node', 'ledger'] },
  mode: { type: 'gauge', help: '1 for the mode that the node is in.', labels: ['mode'] },
  in_sync: { type: 'gauge', help: '1 while the node is active and in sync (GET /readyz answers 200).' },
  height: { type: 'gauge', help: 'Highest height here, by stage: finalized, executed, certified.', labels: ['stage'] },
  history_held_from_height: {
    type: 'gauge',
    help: 'Lowest height that everything is held of; 0: of all. Above 0, answers about what is older are incomplete.',
  },
  epoch: { type: 'gauge', help: 'Present validator set.' },
  view: { type: 'gauge', help: 'Present view of the epoch.' },
  views_total: { type: 'counter', help: 'Views left, by outcome: notarized, nullified.', labels: ['outcome'] },
  blocks_total: { type: 'counter', help: 'Blocks finalized here since the start.' },
  batches_total: { type: 'counter', help: 'Batches stored, by author.', labels: ['author'] },
  transactions_total: { type: 'counter', help: 'Transactions executed, by verdict.', labels: ['code'] },
  readings_total: { type: 'counter', help: 'Readings in accepted transactions since the start.' },
  submissions_total: { type: 'counter', help: 'Transactions handed in here, by outcome.', labels: ['outcome'] },
  signature_checks_total: { type: 'counter', help: 'Device signatures checked, by result.', labels: ['result'] },
  mempool_transactions: { type: 'gauge', help: 'Transactions waiting to be sealed into a batch.' },
  mempool_bytes: { type: 'gauge', help: 'Their size.' },
  unordered_batches: { type: 'gauge', help: 'Batches stored and not yet listed by a finalized block.' },
  validators: { type: 'gauge', help: 'Validators of the epoch.' },
  quorum: { type: 'gauge', help: 'Signatures that certify.' },
  suspended: { type: 'gauge', help: '1 for each validator whose views are skipped.', labels: ['validator'] },
  resilience: {
    type: 'gauge',
    help: 'How many faulty validators it takes: harmless at most, halt, fork, certify_false at least.',
    labels: ['effect'],
  },
  concentration: {
    type: 'gauge',
    help: 'Most validators at one host or operator; more than harmless is a risk.',
    labels: ['place'],
  },
  concentration_excess: {
    type: 'gauge',
    help: 'Validators of each host or operator that has more of them than harmless.',
    labels: ['place', 'name'],
  },
  resilience_left: { type: 'gauge', help: 'Harmless less the suspended validators; below 0 the network may halt.' },
  validator_state: {
    type: 'gauge',
    help: '1 for how each validator stands (active, suspended, leaving, joining, admitted, removed), and why.',
    labels: ['validator', 'state', 'cause'],
  },
  peer_connected: { type: 'gauge', help: '1 while both connections to the peer are up.', labels: ['peer'] },
  peer_round_trip_seconds: { type: 'gauge', help: 'Last round trip to the peer.', labels: ['peer'] },
  link_sent_bytes_total: { type: 'counter', help: 'Bytes sent to peers.', labels: ['peer', 'channel'] },
  link_received_bytes_total: { type: 'counter', help: 'Bytes received from peers.', labels: ['peer', 'channel'] },
  link_dropped_frames_total: {
    type: 'counter',
    help: 'Frames not sent, the queue being full.',
    labels: ['peer', 'channel'],
  },
  link_errors_total: { type: 'counter', help: 'Links closed for a fault, by code.', labels: ['code'] },
  proofs_of_fault_total: {
    type: 'counter',
    help: 'Proofs of fault found, by validator and kind.',
    labels: ['validator', 'kind'],
  },
  forked: { type: 'gauge', help: '1 when a certificate contradicts the own finalized chain.' },
  finality_seconds: { type: 'histogram', help: 'From sealing a batch here to the block that lists it being final.' },
  execution_seconds: { type: 'histogram', help: 'Executing and committing one block.' },
  journal_sync_seconds: { type: 'histogram', help: 'Making journal records durable.' },
  journal_bytes: { type: 'gauge', help: 'Size of the journal.' },
  repairs_total: {
    type: 'counter',
    help: 'Repairs done since the start of the process, by what they did.',
    labels: ['what'],
  },
  repair_bytes_total: { type: 'counter', help: 'Bytes fetched from peers for repairs.' },
  repair_seconds: { type: 'gauge', help: 'How long the last repair took.' },
  repair_given_up: { type: 'gauge', help: '1: repairs found nothing to mend again and again, the node stays fenced.' },
  database_bytes: { type: 'gauge', help: 'Size of a database file.', labels: ['database'] },
  queue_length: { type: 'gauge', help: 'Length of a queue between threads.', labels: ['queue'] },
  thread_busy_ratio: { type: 'gauge', help: 'Share of the time in which the thread was busy.', labels: ['thread'] },
  thread_heap_bytes: { type: 'gauge', help: 'JavaScript heap in use.', labels: ['thread'] },
  http_requests_total: { type: 'counter', help: 'HTTP answers.', labels: ['method', 'route', 'status'] },
  http_request_seconds: {
    type: 'histogram',
    help: 'From request to the end of the answer, waiting included.',
    labels: ['route'],
  },
  http_connections: { type: 'gauge', help: 'Open HTTP connections.' },
  http_subscribers: { type: 'gauge', help: 'Open event streams.' },
  http_waiters: { type: 'gauge', help: 'Transactions that HTTP requests are waiting for.' },
  gateway_messages_total: { type: 'counter', help: 'MQTT messages, by what became of them.', labels: ['outcome'] },
  gateway_outbox_transactions: { type: 'gauge', help: 'Transactions of the gateway that have no verdict yet.' },
  process_resident_bytes: { type: 'gauge', help: 'Resident memory of the process.' },
  process_cpu_seconds_total: { type: 'counter', help: 'CPU time of the process, all threads.' },
  process_uptime_seconds: { type: 'gauge', help: 'Since the start of the process.' },
} as const satisfies Record<string, Definition>;

export type MetricName = keyof typeof metricDefinitions;

/** A histogram as plain data: `counts[i]` observations were at most `bounds[i]`; one more count for those above. */
export type HistogramSample = {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
};
export type Labels = Readonly<Record<string, string>>;
export type LabelledSample = { readonly labels: Labels; readonly value: number | HistogramSample };
export type MetricSamples = { readonly [Name in MetricName]?: number | HistogramSample | readonly LabelledSample[] };

/** Seconds, from a fast disk's sync to a wait that timed out. */
const SECONDS_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type Histogram = { observe(value: number): void; sample(): HistogramSample };

/** Counts observations in any thread; `sample` is a copy that can be posted. */
export function createHistogram(bounds: readonly number[] = SECONDS_BOUNDS): Histogram {
  const counts = new Array<number>(bounds.length + 1).fill(0);
  let sum = 0;
  return {
    observe(value) {
      let i = 0;
      while (i < bounds.length && value > bounds[i]!) i++;
      counts[i]! += 1;
      sum += value;
    },
    sample: () => ({ bounds, counts: counts.slice(), sum }),
  };
}

export type CounterFamily = { add(key: string, by?: number): void; samples(label: string): LabelledSample[] };

/** Counts by one label, for a set of keys that the node itself limits (codes, peers, outcomes). */
export function createCounters(): CounterFamily {
  const counts = new Map<string, number>();
  return {
    add: (key, by = 1) => void counts.set(key, (counts.get(key) ?? 0) + by),
    samples: (label) => Array.from(counts, ([key, value]) => ({ labels: { [label]: key }, value })),
  };
}

/** What every process can say about itself. */
export function processSamples(): MetricSamples {
  const { user, system } = process.cpuUsage();
  return {
    process_resident_bytes: process.memoryUsage.rss(),
    process_cpu_seconds_total: (user + system) / 1e6,
    process_uptime_seconds: process.uptime(),
  };
}

/** What every thread can say about itself, since it was last asked. */
export function createThreadSampler(thread: string): () => MetricSamples {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return {
      thread_busy_ratio: [{ labels: { thread }, value: utilization }],
      thread_heap_bytes: [{ labels: { thread }, value: getHeapStatistics().used_heap_size }],
    };
  };
}

/**
 * Prometheus text of what the threads report. Samples of one name from several threads stand side by side, so they must
 * differ in labels.
 */
export async function metricsText(reports: readonly MetricSamples[]): Promise<string> {
  const registry = new Registry();
  for (const [name, definition] of Object.entries<Definition>(metricDefinitions)) {
    const samples = reports.flatMap((report) => labelled(report[name as MetricName]));
    if (samples.length > 0) registry.registerMetric(toMetric(`cairn_${name}`, definition, samples));
  }
  return registry.metrics();
}

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

function labelled(sample: MetricSamples[MetricName]): readonly LabelledSample[] {
  if (sample === undefined) return [];
  return isList(sample) ? sample : [{ labels: {}, value: sample }];
}

function isList(sample: NonNullable<MetricSamples[MetricName]>): sample is readonly LabelledSample[] {
  return Array.isArray(sample);
}

type Row = { labels: Record<string, string | number>; value: number; metricName?: string };

/** A metric whose values are given: what a registry needs of one is its name and `get`. */
function toMetric(name: string, definition: Definition, samples: readonly LabelledSample[]): Metric {
  for (const { labels } of samples) {
    const known = Object.keys(labels).every((label) => definition.labels?.includes(label));
    assert(known, `${name} has the labels ${Object.keys(labels).join(', ')}, which its definition does not name`);
  }
  const values = samples.flatMap(({ labels, value }) =>
    typeof value === 'number' ? [{ labels, value }] : histogramRows(name, labels, value),
  );
  const { type, help } = definition;
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: async () => ({ name, help, type, aggregator: 'sum', values }),
  };
  return metric as unknown as Metric;
}

function histogramRows(name: string, labels: Labels, { bounds, counts, sum }: HistogramSample): Row[] {
  let total = 0;
  const rows: Row[] = counts.map((count, i) => {
    total += count;
    return { labels: { ...labels, le: bounds[i] ?? '+Inf' }, value: total, metricName: `${name}_bucket` };
  });
  rows.push({ labels, value: sum, metricName: `${name}_sum` }, { labels, value: total, metricName: `${name}_count` });
  return rows;
}
