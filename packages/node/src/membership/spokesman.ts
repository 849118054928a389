/** Speaks for a running node on the ledger: looks at how things stand now and then, and says what is due. */
import { type CairnError, type EpochSet, type Fact, leaderOf, type Outcome, type Signer } from '@cairn-ledger/core';
import type { Driver } from '../driver/driver.ts';
import type { Transport } from '../transport/transport.ts';
import { createOwnTransactions } from './own-transactions.ts';
import { createOwnWords, type OwnWord } from './own-words.ts';
import { createPeerWatch } from './peer-watch.ts';
import type { Roster } from './roster.ts';

/** Delta in a window, in which a peer must have been silent, or have worked, before that is said. */
const windowDeltas = 20;
const looksPerWindow = 8;
/** Heights by which execution, and the certificates over it, may trail without the node being behind. */
const nearHeights = 8;

export type SpokesmanParts = {
  readonly selfId: string;
  readonly keysDir: string;
  readonly ledgerHash: Uint8Array;
  /** The link key. */
  readonly signer: Signer;
  readonly driver: Driver;
  readonly transport: Pick<Transport, 'peers'>;
  readonly roster: () => Roster;
  /** Of the executed height. */
  readonly outcome: () => Outcome;
  /** @param error why it could not be signed */
  readonly onSaid: (word: OwnWord, error: CairnError | null) => void;
};

export type Spokesman = {
  /** To be called often: looks, and speaks, when it is time. */
  speak(nowMs: number): void;
  onFact(fact: Fact, set: EpochSet): void;
  onEpoch(): void;
};

export function createSpokesman(parts: SpokesmanParts): Spokesman {
  const { selfId, driver, roster, outcome } = parts;
  const watch = createPeerWatch();
  const words = createOwnWords();
  const transactions = createOwnTransactions({
    ...parts,
    counterSeen: () => roster().own.counter,
    submit: (transaction) => driver.say(transaction),
  });
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  /** One after the other, so that counters go up in the order of what is said. */
  let saying: Promise<void> = Promise.resolve();

  function look(nowMs: number, windowMs: number): void {
    const { set, replica } = driver;
    const linked = new Set(parts.transport.peers().flatMap(({ id, isConnected }) => (isConnected ? [id] : [])));
    const peers = set.validators.flatMap(({ id }, index) =>
      id === selfId
        ? []
        : [{ id, isLinked: linked.has(id), signedHeight: replica.checkpoints.signedHeight(index as never) }],
    );
    const { certifiedHeight } = replica.status();
    watch.look({ nowMs, windowMs, certifiedHeight, quorum: set.quorum, peers });
  }

  function isCaughtUp(): boolean {
    const { isSyncing, finalizedHeight, executedHeight, certifiedHeight } = driver.replica.status();
    return (
      !isSyncing && executedHeight + nearHeights >= finalizedHeight && certifiedHeight + nearHeights >= executedHeight
    );
  }

  return {
    speak(nowMs) {
      const windowMs = windowDeltas * roster().parameters.deltaMs;
      if (nowMs - lookedAtMs < windowMs / looksPerWindow) return;
      lookedAtMs = nowMs;
      look(nowMs, windowMs);
      const { statement } = outcome();
      const { set } = driver;
      const others = set.validators.filter(({ id }) => id !== selfId);
      const due = words.due({
        nowMs,
        selfId,
        height: statement.height,
        roster: roster(),
        isMember: driver.isMember,
        fences: driver.fences,
        life: driver.life,
        isCaughtUp: isCaughtUp(),
        others: others.map(({ id }) => ({ id, conduct: watch.conductOf(id, nowMs, windowMs) })),
      });
      const { height, historyRoot } = statement;
      for (const word of due) {
        saying = saying
          .then(() => transactions.say(word, { setDigest: set.digest, height, historyRoot }))
          .then((error) => parts.onSaid(word, error));
      }
    },
    onFact(fact, set) {
      if (fact.type === 'nullified' && fact.reason === 'leader-suspended')
        return watch.onSkippedView(set.validators[leaderOf(set, fact.view)]!.id);
      if (fact.type === 'nullified') {
        // Only what is the leader's own doing.
        if (fact.reason !== 'leader-late' && fact.reason !== 'invalid-proposal') return;
        watch.onLostView(set.validators[leaderOf(set, fact.view)]!.id);
      }
      if (fact.type === 'finalized') watch.onLedView(set.validators[leaderOf(set, fact.view)]!.id);
    },
    onEpoch: () => watch.onEpoch(),
  };
}
