/** What the main thread counts, and the samples it gives when somebody asks for metrics (names and help: metrics.ts). */
import type { Batch, Block, EpochSet, Fact, ReplicaStatus, Validator } from '@cairn-ledger/core';
import { resilienceOf, toHex } from '@cairn-ledger/core';
import { concentrationsOf } from './concentration.ts';
import type { NodeStatus } from './http/edge-port.ts';
import {
  createCounters,
  createHistogram,
  createThreadSampler,
  type LabelledSample,
  type MetricSamples,
  processSamples,
} from './metrics.ts';
import type { LedgerClient } from './threads/ledger-client.ts';
import type { VerificationPool } from './threads/verification-pool.ts';
import type { Transport } from './transport/transport.ts';
import { nodeVersion } from './version.ts';

/** Own batches whose finality is measured at once; beyond, the oldest is not. */
const measuredBatchesMax = 256;

export type NodeMetrics = ReturnType<typeof createNodeMetrics>;

/** What samples are taken of. */
export type Sampled = {
  readonly status: NodeStatus;
  readonly replica: ReplicaStatus;
  readonly transport: Pick<Transport, 'peers'> & { counters(): { readonly closes: Readonly<Record<string, number>> } };
  readonly ledger: LedgerClient;
  readonly verification: VerificationPool;
  readonly journalBytes: number;
  readonly healing: MetricSamples;
};

export function createNodeMetrics(validators: readonly Validator[], nowMs: () => number = () => performance.now()) {
  const journalSync = createHistogram();
  const finality = createHistogram();
  const views = createCounters();
  const batches = createCounters();
  const faults = createCounters();
  const refused = createCounters();
  const thread = createThreadSampler('agreement');
  /** When an own batch was sealed, until a final block lists it. */
  const sealedAtMs = new Map<string, number>();
  let blocks = 0;
  let resilience = resilienceOf(validators.length);
  let concentrations = concentrationsOf(validators);

  return {
    /** Another epoch begins, with these validators. */
    onEpoch(present: readonly Validator[]): void {
      resilience = resilienceOf(present.length);
      concentrations = concentrationsOf(present);
    },
    onSynced: (beganMs: number) => journalSync.observe((nowMs() - beganMs) / 1000),
    onRefused: (code: string) => refused.add(code),
    /** @param author id of the validator that sealed it */
    onBatch({ digest }: Batch, author: string, isOwn: boolean): void {
      batches.add(author);
      if (!isOwn) return;
      if (sealedAtMs.size >= measuredBatchesMax) sealedAtMs.delete(sealedAtMs.keys().next().value!);
      sealedAtMs.set(toHex(digest), nowMs());
    },
    /** A block is final, and handed over to be executed. */
    onFinal(block: Block): void {
      blocks++;
      for (const { digest } of sealedAtMs.size === 0 ? [] : block.batches) {
        const name = toHex(digest);
        const sealedMs = sealedAtMs.get(name);
        if (sealedMs === undefined) continue;
        sealedAtMs.delete(name);
        finality.observe((nowMs() - sealedMs) / 1000);
      }
    },
    /** @param set what indices in the fact are places in */
    onFact(fact: Fact, { validators: accusable }: Pick<EpochSet, 'validators'>): void {
      if (fact.type === 'entered-view') views.add(fact.by === 'nullification' ? 'nullified' : 'notarized');
      if (fact.type === 'fault-proven') faults.add(`${accusable[fact.accused]!.id}/${fact.kind}`);
    },
    samples({ status, replica, transport, ledger, verification, journalBytes, healing }: Sampled): MetricSamples[] {
      const peers = transport.peers();
      const checked = verification.counters.checked + ledger.checks().checked;
      const invalid = verification.counters.invalid + ledger.checks().invalid;
      const perChannel = (pick: (peer: (typeof peers)[number], channel: 'control' | 'bulk') => number) =>
        peers.flatMap((peer) =>
          (['control', 'bulk'] as const).map((channel) => ({
            labels: { peer: peer.id, channel },
            value: pick(peer, channel),
          })),
        );
      return [
        processSamples(),
        thread(),
        {
          build_info: [
            { labels: { version: nodeVersion, node: status.node.id, ledger: status.ledger.name }, value: 1 },
          ],
          mode: [{ labels: { mode: status.mode }, value: 1 }],
          in_sync: status.inSync ? 1 : 0,
          height: [
            { labels: { stage: 'finalized' }, value: replica.finalizedHeight },
            { labels: { stage: 'executed' }, value: replica.executedHeight },
            { labels: { stage: 'certified' }, value: replica.certifiedHeight },
          ],
          epoch: replica.epoch,
          view: replica.view,
          views_total: views.samples('outcome'),
          blocks_total: blocks,
          batches_total: batches.samples('author'),
          signature_checks_total: [
            { labels: { result: 'valid' }, value: checked - invalid },
            { labels: { result: 'invalid' }, value: invalid },
          ],
          mempool_transactions: status.mempool.transactions,
          mempool_bytes: status.mempool.sizeBytes,
          unordered_batches: replica.pendingBatches,
          validators: status.validators,
          quorum: status.quorum,
          suspended: status.suspended.map((validator) => ({ labels: { validator }, value: 1 })),
          resilience: [
            { labels: { effect: 'harmless' }, value: resilience.harmless },
            { labels: { effect: 'halt' }, value: resilience.halt },
            { labels: { effect: 'fork' }, value: resilience.fork },
            { labels: { effect: 'certify_false' }, value: resilience.certifyFalse },
          ],
          concentration: (['host', 'operator'] as const).map((place) => ({
            labels: { place },
            value: Math.max(
              1,
              ...concentrations.filter((each) => each.place === place).map((each) => each.validators.length),
            ),
          })),
          peer_connected: peers.map((peer) => ({ labels: { peer: peer.id }, value: peer.isConnected ? 1 : 0 })),
          peer_round_trip_seconds: peers.map((peer) => ({
            labels: { peer: peer.id },
            value: (peer.rttMs ?? 0) / 1000,
          })),
          link_sent_bytes_total: perChannel((peer, channel) => peer.channels[channel].bytesOut),
          link_received_bytes_total: perChannel((peer, channel) => peer.channels[channel].bytesIn),
          link_dropped_frames_total: perChannel((peer, channel) => peer.channels[channel].drops),
          link_errors_total: sumByCode([
            ...Object.entries(transport.counters().closes).map(([code, value]) => ({ labels: { code }, value })),
            ...refused.samples('code'),
          ]),
          proofs_of_fault_total: faults.samples('validator').map((sample) => {
            const [validator = '', kind = ''] = (sample.labels.validator ?? '').split('/');
            return { labels: { validator, kind }, value: sample.value };
          }),
          forked: replica.isForked ? 1 : 0,
          finality_seconds: finality.sample(),
          journal_sync_seconds: journalSync.sample(),
          journal_bytes: journalBytes,
          queue_length: [
            { labels: { queue: 'execution' }, value: ledger.queueLength() },
            { labels: { queue: 'verification' }, value: verification.queueLength() },
          ],
        },
        healing,
        ledger.samples(),
      ];
    },
  };
}

/** A message may be refused, and its link closed, under one code: Prometheus wants one row of it. */
function sumByCode(samples: readonly LabelledSample[]): LabelledSample[] {
  const sums = createCounters();
  for (const { labels, value } of samples) if (typeof value === 'number') sums.add(labels.code!, value);
  return sums.samples('code');
}
