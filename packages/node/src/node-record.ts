/** What a node has signed, opened: the journal in its data folder, and the mark beside its keys (protocol.md section 6). */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CairnError } from '@cairn-ledger/core';
import type { Closers } from './closers.ts';
import type { NodeConfig } from './config/node-config.ts';
import type { Driver, DriverPorts } from './driver/driver.ts';
import { bytesToRecord, recordToBytes } from './driver/journal-record.ts';
import { type Failure, orThrow } from './failure.ts';
import { createCompaction } from './journal/compaction.ts';
import { openJournal } from './journal/journal.ts';
import { openSigningMark, type SigningMarkFile, signingMarkPath } from './keys/signing-mark-file.ts';
import { markUsed } from './keys/unused-record.ts';
import type { Log } from './logging.ts';

export type NodeRecordParts = {
  readonly config: NodeConfig;
  readonly ledgerHash: Uint8Array;
  readonly log: Log;
  readonly closers: Closers;
  readonly failure: Failure;
};

export type NodeRecord = {
  readonly mark: SigningMarkFile;
  /** The journal tells of signing, and the mark does not: it was lost. */
  readonly isMarkLost: boolean;
  /** @param onSynced told when a sync that is done began, in ms of `performance.now()` */
  port(onSynced: (beganMs: number) => void): DriverPorts['journal'];
  /** One record after the other: only what the replica still needs of them stays in memory. */
  restore(driver: Driver): Promise<void>;
  /** Begins the journal anew with what the driver still needs, when it has grown enough. */
  compactIfDue(driver: Driver): void;
  sizeBytes(): number;
};

const segmentBytes = 8 << 20;

/** First of all in a life: the lock of the journal keeps a second process off everything else. Throws NodeFailed. */
export async function openRecord({ config, ledgerHash, log, closers, failure }: NodeRecordParts): Promise<NodeRecord> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const { journal, truncatedBytes } = orThrow(await openJournal(join(config.dataDir, 'journal'), { segmentBytes }));
  closers.add(() => journal.close());
  if (truncatedBytes > 0) log.info('journal.tail-cut', { truncatedBytes });
  const isJournalNew = journal.nextSequence === 1;
  const compaction = createCompaction(journal, failure.fail);
  closers.add(() => compaction.idle());
  const mark = orThrow(openSigningMark(signingMarkPath(config.keysDir, ledgerHash)));
  closers.add(() => mark.close());
  markUsed(config.dataDir);
  return {
    mark,
    isMarkLost: mark.isNew && !isJournalNew,
    port: (onSynced) => ({
      append(record) {
        const { type, payload } = recordToBytes(record);
        journal.append(type, payload);
      },
      sync(done) {
        const beganMs = performance.now();
        journal.sync().then(
          () => {
            onSynced(beganMs);
            done(null);
          },
          (error: CairnError) => done(error),
        );
      },
    }),
    async restore(driver) {
      for await (const { type, payload } of journal.records()) driver.restore(orThrow(bytesToRecord(type, payload)));
    },
    compactIfDue: (driver) =>
      void compaction.runIfDue(() => Array.from(driver.liveRecords(), (record) => () => recordToBytes(record))),
    sizeBytes: () => journal.sizeBytes,
  };
}
