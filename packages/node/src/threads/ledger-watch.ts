/**
 * Ledger thread: what it does beside executing blocks, in the pauses between them. A slice of the background audit each
 * second, and answers to peers that lack state or history. Damage that either comes by is told once.
 */
import { join } from 'node:path';
import type { Genesis, Hash, Message, StateTree } from '@cairn-ledger/core';
import type { Finding } from '../audit/finding.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { createBackgroundAudit } from '../healing/background-audit.ts';
import { createSnapshotServer } from '../healing/snapshot-server.ts';
import type { Restarts } from '../restart/restart-files.ts';
import type { ChainDb } from '../storage/chain-db.ts';
import type { ViewDb } from '../storage/view-db.ts';

export type LedgerWatchParts = {
  readonly dataDir: string;
  readonly genesis: Genesis;
  readonly ledgerHash: Hash;
  readonly restarts: Restarts;
  readonly chain: ChainDb;
  readonly view: Pick<ViewDb, 'isWrittenElsewhere'>;
  readonly stateTree: Pick<StateTree, 'childrenOf' | 'freeze'>;
  /** The first time only: what is damaged once is repaired as a whole. */
  readonly onDamage: (finding: Finding) => void;
  /** Anything that the audit throws and that is no damage. */
  readonly onFailed: (cause: unknown) => void;
};

export type LedgerWatch = {
  /** The answer to a request of a sync; null where there is none, or it is no such request. */
  serve(request: Message): Message | null;
  /** A block was just executed: the next one may be on its way. */
  onExecuted(): void;
  /** Damage that was found elsewhere in the thread. */
  tell(finding: Finding): void;
  close(): void;
};

const auditEveryMs = 1_000;
const pruneEveryMs = 5_000;
const intruderEveryMs = 250;
/** So long after a block the audit lets a next one go first, a few times at most. */
const quietMs = 20;
const deferMs = 50;
const defersMax = 10;

export function createLedgerWatch(parts: LedgerWatchParts): LedgerWatch {
  const { dataDir, genesis, ledgerHash, restarts, chain, view, stateTree, onDamage, onFailed } = parts;
  const path = join(dataDir, 'chain.db');
  const now = () => performance.now();
  let executedMs = -quietMs;
  let isTold = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | null = null;

  const tell = (finding: Finding): void => {
    if (isTold || isClosed) return;
    isTold = true;
    onDamage(finding);
  };
  const server = createSnapshotServer({
    path,
    chain,
    stateTree,
    checkpointLag: genesis.parameters.checkpointLag,
    now,
    onDamage: (what) => tell({ class: 'state', code: 'audit.differs', what, where: { table: 'state' } }),
  });
  const audit = createBackgroundAudit({
    path,
    journalDir: join(dataDir, 'journal'),
    viewPath: join(dataDir, 'view.db'),
    anchor: { genesis, ledgerHash, restarts },
    verifier: sodiumVerifier,
    stateTree,
    now,
    tickMs: auditEveryMs,
    onDamage: tell,
  });
  const intruderTimer = setInterval(() => {
    try {
      lookForIntruder();
    } catch (cause) {
      onFailed(cause);
    }
  }, intruderEveryMs);
  const pruneTimer = setInterval(() => server.prune(), pruneEveryMs);
  wait(auditEveryMs, 0);

  /** This thread alone writes both databases. What a list leaves out no hash tells; that somebody has been there, SQLite does. */
  function lookForIntruder(): void {
    const where = chain.isWrittenElsewhere() ? 'chain' : view.isWrittenElsewhere() ? 'view' : null;
    if (where === null) return;
    const what = `somebody else has written to ${where}.db while the node was running`;
    tell({
      class: where === 'view' ? 'view' : 'database',
      code: 'audit.differs',
      what,
      where: { file: `${where}.db` },
    });
  }

  function wait(ms: number, defers: number): void {
    // Behind the messages that have come by then: blocks go first.
    timer = setTimeout(() => setImmediate(() => void look(defers)), ms);
  }

  async function look(defers: number): Promise<void> {
    if (isClosed) return;
    if (now() - executedMs < quietMs && defers < defersMax) return wait(deferMs, defers + 1);
    try {
      await audit.tick();
    } catch (cause) {
      if (!isClosed) onFailed(cause);
      return;
    }
    if (!isClosed) wait(auditEveryMs - defers * deferMs, 0);
  }

  return {
    serve: (request) => server.serve(request),
    onExecuted() {
      executedMs = now();
    },
    tell,
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      clearInterval(pruneTimer);
      clearInterval(intruderTimer);
      audit.close();
      server.close();
    },
  };
}
