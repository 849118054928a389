/**
 * The databases made anew, in a temporary folder, by the code that a node runs: from the genesis, and from the blocks and
 * batches that certificates prove. What is stored is then compared with them row by row. So a difference is found wherever
 * it is, and named, and nothing that is stored is believed on the way.
 *
 * It needs as much room as the databases have.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Block, type CheckpointStatement, checkpointDigest, equalBytes } from '@cairn-ledger/core';
import { orThrow } from '../failure.ts';
import { ChainDb, type StoredBlock } from '../storage/chain-db.ts';
import { chainSchema, chainSchemaVersion, tilesPerLevelMax } from '../storage/chain-schema.ts';
import { openDatabase } from '../storage/database.ts';
import { newsKey } from '../storage/news-table.ts';
import { isRestart } from '../storage/restart-block.ts';
import { batchesPerBlockMax, heightOf } from '../storage/transaction-place.ts';
import { executedToView, storedToView } from '../storage/view-block.ts';
import { type ViewBlock, ViewDb } from '../storage/view-db.ts';
import { viewSchema, viewSchemaVersion } from '../storage/view-schema.ts';
import { type BlockReplay, createBlockReplay } from '../threads/block-replay.ts';
import { createChainExecutor } from '../threads/chain-executor.ts';
import type { AuditedBatch } from './block-audit.ts';
import { compareTable, type TableSpec } from './compare-tables.ts';
import type { AuditedEpochs } from './epoch-audit.ts';
import type { Findings } from './finding.ts';
import type { Anchor } from './founding-audit.ts';
import type { Pace } from './pace.ts';
import type { StoredDatabase } from './stored-database.ts';

type Value = null | number | bigint | string | Uint8Array;
const first = (key: readonly Value[]): number => Number(key[0]);

const chainTables: readonly TableSpec[] = [
  { table: 'meta', key: ['key'], columns: ['value'], kind: 'database', where: `key <> '${newsKey}'` },
  {
    table: 'blocks',
    key: ['height'],
    columns: ['digest', 'header', 'body', 'view', 'finalization', 'time_ms', 'history_size', 'verdicts'],
    kind: 'block',
    placeOf: (key) => ({ height: first(key) }),
  },
  {
    table: 'batches',
    key: ['id'],
    columns: ['digest', 'epoch', 'author', 'seq', 'size'],
    kind: 'batch',
    placeOf: (key) => ({ height: Math.floor(first(key) / batchesPerBlockMax) }),
  },
  { table: 'batch_parts', key: ['id'], columns: ['bytes'], kind: 'batch' },
  { table: 'state', key: ['key'], columns: ['bucket', 'value'], kind: 'state' },
  {
    table: 'history_tiles',
    key: ['id'],
    columns: ['hashes'],
    kind: 'history',
    placeOf: (key) => ({ key: `${Math.floor(first(key) / tilesPerLevelMax)}/${first(key) % tilesPerLevelMax}` }),
  },
  {
    table: 'checkpoints',
    key: ['height', 'round'],
    columns: ['statement'],
    kind: 'checkpoint',
    placeOf: (key) => ({ height: first(key) }),
  },
  { table: 'floors', key: ['epoch', 'author'], columns: ['seq', 'digest'], kind: 'batch' },
  {
    table: 'epochs',
    key: ['epoch'],
    columns: ['genesis_height', 'genesis_digest', 'genesis_time_ms', 'validators', 'rules'],
    kind: 'block',
  },
  {
    table: 'targets',
    key: ['height'],
    columns: ['validators', 'rules'],
    kind: 'block',
    placeOf: (key) => ({ height: first(key) }),
  },
];

const newsTable: TableSpec = {
  table: 'news',
  key: ['height'],
  columns: ['items'],
  kind: 'database',
  placeOf: (key) => ({ height: first(key) }),
};

const numbered = (key: readonly Value[]) => ({ height: heightOf(Number(key.at(-1))) });
const viewTables: readonly TableSpec[] = [
  {
    table: 'progress',
    key: ['id'],
    columns: ['height', 'digest', 'run', 'run_size', 'transactions', 'accepted', 'readings'],
    kind: 'view',
  },
  { table: 'runs', key: ['run'], columns: ['first_number', 'time_min', 'time_max'], kind: 'view' },
  {
    table: 'blocks',
    key: ['height'],
    columns: ['first_leaf', 'rows'],
    kind: 'view',
    placeOf: (key) => ({ height: first(key) }),
  },
  { table: 'messages', key: ['number'], columns: ['message'], kind: 'view', placeOf: numbered },
  { table: 'accounts', key: ['id'], columns: ['name'], kind: 'view' },
  { table: 'codes', key: ['id'], columns: ['code'], kind: 'view' },
  { table: 'ids', key: ['run', 'prefix', 'number'], columns: [], kind: 'view', placeOf: numbered },
  {
    table: 'series',
    key: ['run', 'account', 'width', 'from_ms', 'number'],
    columns: ['span_ms'],
    kind: 'view',
    placeOf: numbered,
  },
  { table: 'activity', key: ['run', 'account', 'number'], columns: [], kind: 'view', placeOf: numbered },
];

/** The temporary folder failed, which says nothing about the node: the audit ends without a verdict. */
export class TemporaryFailed extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

export type MadeAnew = {
  /** Takes the next height, proven. Height 0 is the genesis, which needs no block. */
  add(stored: StoredBlock, block: Block | null, batches: readonly AuditedBatch[], certified: Certified): void;
  /** Whether every height up to this one could be made. */
  reaches(height: number): boolean;
  compareChain(stored: StoredDatabase, pace: Pace): Promise<void>;
  compareView(stored: StoredDatabase, pace: Pace): Promise<void>;
  end(): void;
};

type Certified = CheckpointStatement | null;

export type MadeAnewOptions = {
  readonly anchor: Anchor;
  readonly tempDir: string;
  /** Execute the blocks again; else the view alone is made, from the stored verdicts. */
  readonly isReplay: boolean;
  /** The database that is looked at. */
  readonly chain: ChainDb;
  readonly epochs: AuditedEpochs;
  /** What comes first: the genesis, or the block that the chain was founded at, of which nothing is shown. */
  readonly firstHeight: number;
  /** The last height that the stored view has; null: the view is not compared. */
  readonly viewHeight: number | null;
};

/** @throws TemporaryFailed */
export function makeAnew(options: MadeAnewOptions, findings: Findings): MadeAnew {
  const { anchor, epochs, isReplay, chain: storedChain, viewHeight } = options;
  const { dir, chain, view } = openTemporary(options);
  let replay: BlockReplay | null = null;
  let madeHeight = options.firstHeight - 1;

  function execute(stored: StoredBlock, block: Block, batches: readonly AuditedBatch[], certified: Certified) {
    const { outcome, executed } = replay!.execute({
      stored,
      block,
      batches,
      set: epochs.at(stored.height),
      round: storedChain.checkpoint(stored.height)?.round ?? 0,
      ...(isRestart(storedChain, stored.height) && { restart: epochs.at(stored.height + 1).validators }),
    });
    if (certified !== null && !equalBytes(checkpointDigest(outcome.statement), checkpointDigest(certified))) {
      const what = `executing block ${stored.height} again gives another result than a quorum signed`;
      findings.add('checkpoint', 'audit.root-differs', what, { height: stored.height });
    }
    return executed;
  }

  function viewBlockOf(
    stored: StoredBlock,
    block: Block | null,
    batches: readonly AuditedBatch[],
    certified: Certified,
  ): ViewBlock {
    const { height, digest } = stored;
    if (block === null) {
      if (isReplay) {
        const executor = createChainExecutor(anchor.genesis, anchor.ledgerHash, chain.db);
        replay = createBlockReplay(executor, chain.db.store, anchor.ledgerHash, anchor.set);
      }
      return { height, digest, transactions: [] };
    }
    return isReplay ? executedToView(execute(stored, block, batches, certified)) : storedToView(storedChain, stored);
  }

  return {
    add(stored, block, batches, certified) {
      if (madeHeight !== stored.height - 1) return;
      findings.guard('block', { height: stored.height }, () => {
        try {
          const viewBlock = viewBlockOf(stored, block, batches, certified);
          if (viewHeight !== null && stored.height <= viewHeight) orThrow(view.db.applyBlock(viewBlock));
          madeHeight = stored.height;
        } catch (cause) {
          throw chain.db.failure === null && view.db.failure === null ? cause : new TemporaryFailed(cause);
        }
      });
    },
    reaches: (height) => madeHeight >= height,
    compareChain(stored, pace) {
      const from = findings.guard('database', { table: 'meta', key: newsKey }, () => storedChain.newsHeldFrom()) ?? 0;
      const tables = [...chainTables, { ...newsTable, where: `height >= ${from}` }];
      return compareAll(tables, stored, chain.database.sqlite, findings, pace);
    },
    compareView: (stored, pace) => compareAll(viewTables, stored, view.database.sqlite, findings, pace),
    end() {
      chain.db.close();
      view.db.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function openTemporary({ anchor, tempDir }: MadeAnewOptions) {
  let dir: string | null = null;
  try {
    dir = mkdtempSync(join(tempDir, 'cairn-audit-'));
    // Nothing here outlives the audit, so nothing waits for the disk.
    const settings = { readOnly: false, synchronous: 'NORMAL' as const };
    const chain = orThrow(
      openDatabase(
        join(dir, 'chain.db'),
        { ...settings, schema: chainSchema, schemaVersion: chainSchemaVersion },
        (database) => ({ database, db: new ChainDb(database) }),
      ),
    );
    orThrow(chain.db.claimFor(anchor.ledgerHash, false));
    const view = orThrow(
      openDatabase(
        join(dir, 'view.db'),
        { ...settings, schema: viewSchema, schemaVersion: viewSchemaVersion },
        (database) => ({ database, db: new ViewDb(database) }),
      ),
    );
    return { dir, chain, view };
  } catch (cause) {
    if (dir !== null) rmSync(dir, { recursive: true, force: true });
    throw new TemporaryFailed(cause);
  }
}

async function compareAll(
  tables: readonly TableSpec[],
  stored: StoredDatabase,
  made: import('node:sqlite').DatabaseSync,
  findings: Findings,
  pace: Pace,
): Promise<void> {
  for (const spec of tables) {
    await findings.guardAsync(spec.kind, { table: spec.table }, () =>
      compareTable(stored.database.sqlite, made, spec, findings, pace),
    );
  }
}
