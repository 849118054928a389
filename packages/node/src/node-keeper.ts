/**
 * Keeps a node alive: when one of its lives ends for a reason that can be mended, closes everything, mends it, and begins another
 * one, with growing pauses where that fails again and again. What needs people ends the process.
 */
import { mkdirSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CairnError } from '@cairn-ledger/core';
import { ailmentOf } from './ailment.ts';
import { createClosers } from './closers.ts';
import type { Founding } from './config/founding.ts';
import type { NodeConfig } from './config/node-config.ts';
import { nothingSigned } from './driver/signing-mark.ts';
import { createFailure, errorOf, NodeFailed, orThrow } from './failure.ts';
import { createPatience, fruitlessMax, type GivenUpReason } from './healing/patience.ts';
import type { ChainRepair } from './healing/repair-chain.ts';
import type { NodeStatus } from './http/edge-port.ts';
import { openRepairDoor } from './http/repair-door.ts';
import { forgetRolledBack, isNotedAsRolledBack, noteRolledBack } from './keys/rolled-back.ts';
import type { Log } from './logging.ts';
import { createHealingFacts } from './node-healing.ts';
import { beginLife, type Life } from './node-life.ts';
import { adoptPast } from './node-past.ts';
import {
  foundFromPeers,
  hasRecord,
  isForAnotherTry,
  isInGenesis,
  isToBeFounded,
  type RepairParts,
  repairNode,
  setJournalAside,
} from './node-repair.ts';
import { finishRecertification } from './recertify/recertification.ts';
import { checkNothingAbove } from './restart/standing.ts';
import type { PeerAddress } from './transport/transport.ts';

export type NodeKeeper = {
  /** Rejects with a NodeFailed, all that was opened closed again; `node.stopping` where it was stopped before it had begun. */
  begin(): Promise<void>;
  /** Of the present life, or the last one. */
  httpUrl(): string;
  stop(): Promise<void>;
};

/** Heights executed again from one line in the log to the next. */
const againLogHeights = 10_000;
const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** A life that lasted so long was a good one: the next failure is the first again. */
const goodLifeMs = 600_000;
/** Behind without a step forward for so long: then a newer state is looked for; where there is none, after twice as long again. */
const firstStallMs = 120_000;
const longestStallMs = 3_600_000;

/** Until a past is collected again that could not be taken over. */
const firstPastPauseMs = 600_000;
const longestPastPauseMs = 86_400_000;

const givenUpText =
  'Repair found nothing to mend, again and again: from here on the node stays up, signs nothing and serves what it can prove. Check its memory and its release, then start it again.';

export function createNodeKeeper(config: NodeConfig, founding: Founding, log: Log): NodeKeeper {
  const stopping = new AbortController();
  const facts = createHealingFacts();
  let closers = createClosers();
  let life: Life | null = null;
  /** The port that the first life got, where any would do. */
  let httpPort = config.http.port;
  let httpUrl = '';
  let known: readonly PeerAddress[] | null = null;
  let lastStatus: NodeStatus | null = null;
  let failures = 0;
  const patience = createPatience();
  let givenUpFor: GivenUpReason | null = null;
  let stallMs = firstStallMs;
  let pastDueMs = 0;
  let pastRefusals = 0;
  let begunAtMs = 0;
  let beginning: Promise<void> = Promise.resolve();
  let recovering: Promise<void> = Promise.resolve();

  async function liveOnce(isRepaired: boolean): Promise<void> {
    closers = createClosers();
    const present: Life = { phase: 'starting', driver: null, isObserving: isRepaired && givenUpFor === null };
    life = present;
    const failure = createFailure(log, () => present.driver?.stop(), onFailed);
    closers.add(() => failure.release());
    const { http } = config;
    try {
      const again = orThrow(
        await finishRecertification({ config, founding }, (height, tipHeight) => {
          if (height % againLogHeights === 0) log.info('recertify.executing', { height, tipHeight });
        }),
      );
      if (again > 0) log.info('recertify.finished', { heights: again });
      orThrow(await checkNothingAbove({ config, founding }));
      const begun = beginLife({
        config: { ...config, http: { ...http, port: httpPort } },
        founding,
        log,
        closers,
        life: present,
        failure,
        facts,
        pastDueMs,
        stallMs: config.sync === 'full' ? null : stallMs,
        givenUpFor,
        onRoster: ({ peers }) => {
          known = peers;
        },
        onStatus: (status) => {
          lastStatus = status;
        },
      });
      httpUrl = await failure.whileStarting(begun);
      httpPort = Number(new URL(httpUrl).port) || httpPort;
      begunAtMs = performance.now();
    } catch (cause) {
      failure.onStopping();
      await closers.closeAll().catch(() => undefined);
      throw new NodeFailed(errorOf(cause));
    }
    closers.add(() => failure.onStopping());
  }

  /** Begins a life, and mends what keeps it from beginning. */
  async function live(isRepaired: boolean): Promise<void> {
    for (let isMended = isRepaired; ; isMended = true) {
      try {
        return await liveOnce(isMended);
      } catch (cause) {
        const error = errorOf(cause);
        if (stopping.signal.aborted || ailmentOf(error, failures) === null) throw cause;
        await heal(error);
      }
    }
  }

  /** A life has failed. False where nothing can be done about it. */
  function onFailed(error: CairnError): boolean {
    if (stopping.signal.aborted || ailmentOf(error, failures) === null) return false;
    const ailment = ailmentOf(error, failures);
    if (ailment === 'restart') log.info('restart.begins', { message: error.message });
    else if (ailment !== 'past') log.error('node.ailing', { code: error.code, message: error.message });
    log.flush();
    recovering = recover(error).catch((cause: unknown) => {
      if (stopping.signal.aborted) return;
      const { code, message } = errorOf(cause);
      log.error('node.failed', { code, message });
      log.flush();
      process.exit(1);
    });
    return true;
  }

  async function recover(error: CairnError): Promise<void> {
    if (performance.now() - begunAtMs >= goodLifeMs) {
      failures = 0;
      patience.onGoodLife();
    }
    await closers.closeAll().catch((cause: unknown) => log.warn('node.close-failed', { ...errorOf(cause) }));
    const ailment = ailmentOf(error, failures);
    await heal(error);
    // A chain that was only behind, or has come to where the members restart it, is as true as it was; and so is its past.
    await live(ailment === 'chain' || ailment === 'journal');
  }

  async function heal(error: CairnError): Promise<void> {
    const ailment = ailmentOf(error, failures)!;
    if (ailment === 'restart') return;
    if (ailment === 'past') return withDoor(takeOverPast);
    failures++;
    const { code, message } = error;
    log.warn('node.repairing', { what: ailment, code, message, attempt: failures });
    await withDoor(async () => {
      if (failures > 1) await pause(failures - 1);
      if (ailment === 'journal') return healJournal();
      for (let attempt = 1; ; attempt++) {
        const repaired = await repairNode({ ...repairParts(), isBehind: ailment === 'behind' });
        if (repaired.ok) {
          onRepaired(repaired.value);
          if (ailment === 'behind') return onCaughtUp(repaired.value);
          return giveUpIfFruitless(error, repaired.value);
        }
        log.warn('repair.failed', { code: repaired.error.code, message: repaired.error.message });
        if (!isForAnotherTry(repaired.error)) throw new NodeFailed(repaired.error);
        await pause(attempt);
      }
    });
  }

  /** What it could not take over, as for want of room, it would collect again at once. */
  function takeOverPast(): void {
    if (adoptPast(config, facts, log)) return;
    pastDueMs = performance.now() + Math.min(longestPastPauseMs, firstPastPauseMs * 2 ** pastRefusals);
    pastRefusals++;
  }

  /** Where nobody had a newer state it is looked for less and less often. */
  function onCaughtUp({ what }: ChainRepair): void {
    failures--;
    stallMs = what === 'nothing' ? Math.min(2 * stallMs, longestStallMs) : firstStallMs;
  }

  /** What is kept is what was signed, and still the node fails by it: the cause is elsewhere, in its memory or its software. */
  function giveUpIfFruitless({ code, message }: CairnError, { what }: ChainRepair): void {
    givenUpFor = patience.onRepaired(code, what);
    if (givenUpFor === null) return;
    facts.onGivenUp();
    log.error('node.given-up', { code, message: `${message} ${givenUpText}`, repairs: fruitlessMax });
    log.flush();
  }

  /** Without its record a node has forgotten what it signed: it asks to be taken back with another life number. */
  function healJournal(): void {
    const aside = setJournalAside(config);
    facts.onRepaired('journal', 0, 0);
    log.warn('repair.done', { what: 'journal', aside });
  }

  function onRepaired({ what, bytesFetched, tookMs, height, damageCount, replacedFor, isComplete }: ChainRepair): void {
    facts.onRepaired(what, bytesFetched, tookMs);
    const ms = Math.round(tookMs);
    log.info('repair.done', { what, bytesFetched, ms, height, damages: damageCount, replacedFor, isComplete });
  }

  function repairParts(): RepairParts {
    return {
      config,
      founding,
      log,
      signal: stopping.signal,
      known,
      onProgress: (progress) => facts.onProgress(progress),
    };
  }

  /** Growing with every failure, shortened at random so that nodes that fail together do not come back together. */
  async function pause(attempt: number): Promise<void> {
    const ms = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempt - 1, 10)) * (0.5 + Math.random() / 2);
    await sleep(ms, undefined, { signal: stopping.signal });
  }

  async function withDoor<T>(work: () => Promise<T> | T): Promise<T> {
    const door = await openRepairDoor({ ...config.http, port: httpPort }, () => ({
      status: lastStatus,
      progress: facts.progress(),
    }));
    try {
      return await work();
    } finally {
      await door.close();
    }
  }

  /**
   * A node that lost its chain, or never had one while others do, takes over what they have. Keys of a validator of the genesis that lie
   * here alone were used elsewhere, unless the network is new.
   */
  async function foundIfMissing(): Promise<void> {
    if (!isToBeFounded(config, founding)) return;
    const { dataDir } = config;
    const isOfGenesis = isInGenesis(config, founding);
    const isRecordLeft = hasRecord(config, founding.ledgerHash);
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    log.info('node.repairing', { what: 'missing' });
    // A validator of the genesis that has to be given the chain has lost its record as well, whatever is left beside its keys.
    const isNoted = isNotedAsRolledBack(dataDir);
    if (isOfGenesis && !isNoted) noteRolledBack(dataDir, nothingSigned);
    const founded = await withDoor(() => foundFromPeers(repairParts()));
    // Where nothing is left but keys, only a start that waited as well can have noted it.
    if (founded === null && isOfGenesis && !(isNoted && isRecordLeft)) forgetRolledBack(dataDir);
    if (founded === null) return log.info('repair.done', { what: 'nothing', why: 'the network is new' });
    if (founded === 'held') return log.info('repair.done', { what: 'nothing', why: 'every block is executed here' });
    if (!founded.ok) throw new NodeFailed(founded.error);
    onRepaired(founded.value);
  }

  async function begin(): Promise<void> {
    try {
      await foundIfMissing();
      stopping.signal.throwIfAborted();
      await live(false);
      stopping.signal.throwIfAborted();
    } catch (cause) {
      log.flush();
      throw new NodeFailed(errorOf(stopping.signal.aborted ? stopping.signal.reason : cause));
    }
  }

  async function stop(): Promise<void> {
    stopping.abort(new NodeFailed({ code: 'node.stopping', message: 'the node is stopping' }));
    if (life !== null) life.phase = 'stopping';
    // What waits for peers ends at once, what opens files when they are open: then they are closed in order.
    await beginning.catch(() => undefined);
    await recovering;
    try {
      await closers.closeAll();
      log.info('node.stopped');
    } finally {
      log.flush();
    }
  }

  return {
    begin() {
      beginning = begin();
      return beginning;
    },
    httpUrl: () => httpUrl,
    stop,
  };
}
