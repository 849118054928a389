/**
 * A node's life over a folder, in this process and as far as what is kept decides it: settings, keys, journal, mark and databases
 * are opened as a start opens them, by the same code; the driver takes in the journal and executes what it has final; whoever
 * wants to ask the edge and the code that answers peers, and a background audit looks at everything once. There are no links.
 *
 * What ends a life is mended as the keeper of a node mends it, from peers that another folder is served by; then the next begins.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Batch,
  type Block,
  type CairnError,
  type Certificate,
  createHistoryReader,
  encodeBatch,
  encodeCertificate,
  type Message,
  type Outcome,
  type ProvenFault,
  viewOfVote,
} from '@cairn-ledger/core';
import { ailmentOf } from '../packages/node/src/ailment.ts';
import type { Finding } from '../packages/node/src/audit/finding.ts';
import { type Founding, readFounding } from '../packages/node/src/config/founding.ts';
import { type NodeConfig, readNodeConfig } from '../packages/node/src/config/node-config.ts';
import { createNodeSigner } from '../packages/node/src/crypto/signer.ts';
import { sodiumVerifier } from '../packages/node/src/crypto/sodium-verifier.ts';
import { Driver, type FenceReason } from '../packages/node/src/driver/driver.ts';
import { bytesToRecord, recordToBytes } from '../packages/node/src/driver/journal-record.ts';
import { nothingSigned } from '../packages/node/src/driver/signing-mark.ts';
import { errorOf, orThrow } from '../packages/node/src/failure.ts';
import { createBackgroundAudit } from '../packages/node/src/healing/background-audit.ts';
import type { Peers } from '../packages/node/src/healing/peers.ts';
import { createSnapshotServer } from '../packages/node/src/healing/snapshot-server.ts';
import { readyStatus } from '../packages/node/src/http/fake-edge.ts';
import { type Journal, openJournal } from '../packages/node/src/journal/journal.ts';
import { isNotedAsRolledBack, noteRolledBack } from '../packages/node/src/keys/rolled-back.ts';
import { openSigningMark, type SigningMarkFile, signingMarkPath } from '../packages/node/src/keys/signing-mark-file.ts';
import { silentLog } from '../packages/node/src/logging.ts';
import { bookName, openOrSetAside } from '../packages/node/src/membership/invitation-book.ts';
import { isInGenesis, isToBeFounded, mendFrom, setJournalAside } from '../packages/node/src/node-repair.ts';
import { createStateHashes } from '../packages/node/src/storage/state-hashes.ts';
import { findingOf } from '../packages/node/src/storage/storage-error.ts';
import { executedToView } from '../packages/node/src/storage/view-block.ts';
import { createBatchPreparer } from '../packages/node/src/threads/batch-preparer.ts';
import { type KeptLedger, openKeptLedger } from '../packages/node/src/threads/kept-ledger.ts';
import { createNodeEdge, type NodeEdge } from '../packages/node/src/threads/node-edge.ts';
import { openProvenLedger } from '../packages/node/src/threads/proven-ledger.ts';
import { serveFromStorage } from '../packages/node/src/threads/serve-from-storage.ts';
import { readOrigin } from '../packages/node/src/threads/stored-origin.ts';
import { tellingDamage } from '../packages/node/src/threads/telling-damage.ts';

/** What can be asked of a life. */
export type Asked = {
  readonly edge: NodeEdge;
  /** What a peer is answered. Throws what is damage. */
  serve(request: Message): Message | null;
  readonly height: number;
  /** The highest one that is final and certified by what is kept; what was just taken from the journal is so by what comes next. */
  readonly settledHeight: number;
};

export type Ask = (asked: Asked) => Promise<void>;

export type Lives = {
  /** What ended the lives, in order; each was mended but for the last one where `people` is set. */
  readonly ailments: readonly CairnError[];
  /** What only people can mend; null where the last life had nothing to say. */
  readonly people: CairnError | null;
  /** Whether the node knows that its record of what it signed is lost: it signs nothing, and asks to be taken back. */
  readonly isRolledBack: boolean;
  readonly bytesFetched: number;
};

const livesMax = 4;
/** A life that has not come to an end by then never does: so many blocks are not in a journal here. */
const turnsMax = 500;
/** Slices of the background audit as a running node has them: two recent heights, and of everything else one, in each. */
const sliceMs = 1_000;
const slicesMax = 200;

/** Begins lives until one goes on without end, or only people can help. */
export async function live(dir: string, peers: () => Peers, ask: Ask): Promise<Lives> {
  const ailments: CairnError[] = [];
  let bytesFetched = 0;
  let config: NodeConfig | null = null;
  for (;;) {
    try {
      config = orThrow(readNodeConfig(dir));
      const founding = orThrow(readFounding(config));
      if (isToBeFounded(config, founding)) {
        mkdirSync(config.dataDir, { recursive: true });
        if (isInGenesis(config, founding)) noteRolledBack(config.dataDir, nothingSigned);
        bytesFetched += await mend(config, founding, peers());
      }
      await liveOnce(config, founding, ask);
      return { ailments, people: null, isRolledBack: isNotedAsRolledBack(config.dataDir), bytesFetched };
    } catch (cause) {
      const error = errorOf(cause);
      ailments.push(error);
      const ailment = ailments.length < livesMax ? ailmentOf(error, ailments.length - 1) : null;
      if (ailment === null || config === null) return { ailments, people: error, isRolledBack: false, bytesFetched };
      if (ailment === 'journal') setJournalAside(config);
      else bytesFetched += await mend(config, orThrow(readFounding(config)), peers());
    }
  }
}

/** A node whose chain is true and ends too early follows its peers; without links it takes over a state of theirs, as one that nobody gives blocks. */
export async function catchUp(dir: string, peers: Peers): Promise<number> {
  const config = orThrow(readNodeConfig(dir));
  return mend(config, orThrow(readFounding(config)), peers, true);
}

async function mend(config: NodeConfig, founding: Founding, peers: Peers, isBehind = false): Promise<number> {
  const parts = { config, founding, log: silentLog, onProgress: () => undefined, isBehind };
  return orThrow(await mendFrom(peers, parts)).bytesFetched;
}

/** Rejects with what ends the life. */
async function liveOnce(config: NodeConfig, founding: Founding, ask: Ask): Promise<void> {
  const { genesis, ledgerHash, keys, restarts, rounds } = founding;
  const self = { id: config.validatorId, linkKey: keys.link.publicKey };
  const closers: (() => unknown)[] = [];
  try {
    const { journal } = orThrow(await openJournal(join(config.dataDir, 'journal')));
    closers.push(() => journal.close());
    const isJournalNew = journal.nextSequence === 1;
    const mark = orThrow(openSigningMark(signingMarkPath(config.keysDir, ledgerHash)));
    closers.push(mark.close);
    const stateHashes = createStateHashes();
    const ledger = asChainFailure(() =>
      openKeptLedger({ dataDir: config.dataDir, genesis, ledgerHash, self, stateHashes, restarts, rounds }),
    );
    closers.push(ledger.close);
    await restore({
      config,
      founding,
      journal,
      mark: isJournalNew || !mark.isNew ? mark : null,
      markFile: mark,
      ledger,
    });
    await answer({ config, founding, ledger, stateHashes, closers }, ask);
    await lookAtAll(config, founding, ledger);
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

/** As the client of the ledger thread tells what nobody expected there. */
function asChainFailure<T>(open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw chainFailureOf(cause);
  }
}

function chainFailureOf(cause: unknown): unknown {
  const { code, message } = errorOf(cause);
  return code === 'node.failed' ? Object.assign(new Error(message), { code: 'node.chain-failed' }) : cause;
}

type Restored = {
  readonly config: NodeConfig;
  readonly founding: Founding;
  readonly journal: Journal;
  /** Null: it was lost. */
  readonly mark: SigningMarkFile | null;
  readonly markFile: SigningMarkFile;
  readonly ledger: KeptLedger;
};

/** The driver takes in the journal, and what it has final and not executed is executed. */
async function restore({ config, founding, journal, mark, markFile, ledger }: Restored): Promise<void> {
  const { keys, ledgerHash } = founding;
  const { executor, view, rosters } = ledger;
  const preparer = createBatchPreparer(executor.store, sodiumVerifier);
  let failure: CairnError | null = null;
  const fail = (error: CairnError): void => {
    failure ??= error;
  };
  let executing = 0;

  function execute(
    block: Block,
    batches: readonly Batch[],
    finalization: Certificate | null,
    misbehaviour: readonly ProvenFault[],
  ): void {
    executing++;
    setImmediate(() => {
      try {
        driver.input({ type: 'executed', outcome: executeNow(block, batches, finalization, misbehaviour) });
      } catch (cause) {
        const error = errorOf(cause);
        fail(error.code === 'node.failed' ? { ...error, code: 'node.chain-failed' } : error);
      }
      executing--;
    });
  }

  function executeNow(
    block: Block,
    batches: readonly Batch[],
    finalization: Certificate | null,
    misbehaviour: readonly ProvenFault[],
  ): Outcome {
    const prepared = batches.map((batch) => preparer.open(encodeBatch(batch), true));
    const { outcome, executed } = executor.execute({
      block,
      view: finalization === null ? 0 : viewOfVote(finalization.vote),
      finalization: finalization === null ? null : encodeCertificate(finalization),
      batches: prepared,
      misbehaviour,
    });
    orThrow(view.applyBlock(executedToView(executed)));
    return outcome;
  }

  const origin = {
    ...readOrigin(ledger.origin, config.validatorId),
    ledgerHash,
    constants: rosters.roster().parameters,
  };
  const driver: Driver = new Driver(
    origin,
    {
      now: () => ({ ms: performance.now(), wallMs: Date.now() }),
      defer: (callback) => void setImmediate(callback),
      setTimer: () => undefined,
      journal: {
        append(record) {
          const { type, payload } = recordToBytes(record);
          journal.append(type, payload);
        },
        sync(done) {
          journal.sync().then(() => done(null), done);
        },
      },
      writeMark(value) {
        const error = markFile.write(value);
        if (error !== null) fail(error);
      },
      send: () => undefined,
      drawLife: () => randomBytes(16),
      votingSigner: createNodeSigner('ed25519', keys.voting.secretKey),
      checkpointSigner: createNodeSigner('ed25519', keys.checkpoint.secretKey),
      verifier: sodiumVerifier,
      ledger: { execute, keepCertified: () => undefined, serve: (_request, told) => told(null) },
      onBatch: () => undefined,
      onFact: () => undefined,
      onRefused: () => undefined,
      onHandedOver: () => undefined,
      onEpoch: () => undefined,
      onFenced(reason: FenceReason) {
        if (reason === 'rolled-back' && !isNotedAsRolledBack(config.dataDir))
          noteRolledBack(config.dataDir, markFile.value);
        if (reason === 'diverged') fail({ code: 'node.diverged', message: 'it has another result than a quorum' });
      },
      onUnfenced: () => undefined,
      onFailed: fail,
    },
    mark === null ? null : mark.value,
  );
  for await (const { type, payload } of journal.records()) driver.restore(orThrow(bytesToRecord(type, payload)));
  if (isNotedAsRolledBack(config.dataDir)) driver.fence('rolled-back');
  driver.start();
  for (let turn = 0; (turn < 3 || executing > 0) && failure === null && turn < turnsMax; turn++) await nextTurn();
  driver.stop();
  if (failure !== null) throw failure;
  await journal.sync();
}

type Answering = {
  readonly config: NodeConfig;
  readonly founding: Founding;
  readonly ledger: KeptLedger;
  readonly stateHashes: SharedArrayBuffer;
  readonly closers: (() => unknown)[];
};

/** What those who ask come by ends the life, as it ends that of a node. */
async function answer({ config, founding, ledger, stateHashes, closers }: Answering, ask: Ask): Promise<void> {
  const { genesis, genesisBytes, ledgerHash, restarts } = founding;
  const damage: Finding[] = [];
  const tell = (finding: Finding): void => void damage.push(finding);
  let failure: unknown = null;
  const proven = openProvenLedger({ dataDir: config.dataDir, genesis, ledgerHash, stateHashes, restarts });
  closers.push(proven.close);
  const { chain, view, isReceiptSound } = proven;
  const unused = (): never => {
    throw new Error('nobody asks for this here');
  };
  const book = orThrow(openOrSetAside(join(config.dataDir, bookName), () => undefined));
  const edge = tellingDamage(
    tell,
    createNodeEdge({
      genesis,
      genesisBytes,
      chain,
      view,
      history: createHistoryReader(chain.tiles),
      isReceiptSound,
      admission: { submit: unused, isPending: () => false, onExecuted: unused, counters: null as never },
      waiters: { wait: unused, onExecuted: unused, onCertified: unused, count: 0 },
      book,
      validatorId: config.validatorId,
      listen: config.listen,
      addressesOf: () => null,
      fence: unused,
      unfence: unused,
      status: () => ({ ...readyStatus, ledger: { name: genesis.name, hash: ledgerHash } }),
      metrics: unused,
    }),
  );
  const server = createSnapshotServer({
    path: join(config.dataDir, 'chain.db'),
    chain: ledger.chain,
    stateTree: ledger.executor.stateTree,
    checkpointLag: genesis.parameters.checkpointLag,
    now: () => 0,
    onDamage: (what) => tell({ class: 'state', code: 'audit.differs', what, where: {} }),
  });
  closers.push(server.close);
  await ask({
    edge,
    serve(request) {
      try {
        return server.serve(request) ?? serveFromStorage(ledger.chain, request);
      } catch (cause) {
        const finding = findingOf(cause);
        if (finding !== null) tell(finding);
        const error = chainFailureOf(cause);
        if (finding === null) failure ??= error;
        throw error;
      }
    },
    height: ledger.chain.tip()!.height,
    settledHeight: Math.min(ledger.chain.latestCertified()?.height ?? 0, ledger.chain.latestFinalized(0)?.height ?? 0),
  });
  endWith(damage);
  // It ends the ledger thread, and the life with it.
  if (failure !== null) throw failure;
}

async function lookAtAll(config: NodeConfig, { genesis, ledgerHash }: Founding, ledger: KeptLedger): Promise<void> {
  const damage: Finding[] = [];
  const audit = createBackgroundAudit({
    path: join(config.dataDir, 'chain.db'),
    // All of it was read when it was opened.
    journalDir: null,
    viewPath: join(config.dataDir, 'view.db'),
    anchor: { genesis, ledgerHash },
    verifier: sodiumVerifier,
    stateTree: ledger.executor.stateTree,
    now: () => 0,
    tickMs: sliceMs,
    onDamage: (finding) => damage.push(finding),
  });
  try {
    const isDone = (): boolean => {
      const { heights, tiles, view } = audit.rounds();
      return damage.length > 0 || Math.min(heights, tiles, view) > 0;
    };
    for (let slice = 0; slice < slicesMax && !isDone(); slice++) await audit.tick();
    // That no entry is missing the root told at the beginning; 65,536 buckets would take longer than all else.
    for (const _ of ledger.executor.store.list(new Uint8Array(0)));
  } finally {
    audit.close();
  }
  endWith(damage);
}

function endWith([first]: readonly Finding[]): void {
  if (first !== undefined) throw Object.assign(new Error(first.what), { code: 'node.damaged' });
}
