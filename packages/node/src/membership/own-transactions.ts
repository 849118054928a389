/**
 * Says on the ledger what a node has to say: signed with its link key, with counters from beside that key. What it may not seal
 * itself it hands over to others (`submit`).
 */
import { join } from 'node:path';
import { attest, type CairnError, ready, type Signer, signTransaction, unreachable } from '@cairn-ledger/core';
import { reserveCounters } from '../keys/counter-file.ts';
import type { OwnWord } from './own-words.ts';

/** Where the node's copy of the chain stands: what a `ready` tells. */
export type Position = {
  /** Of the present set. */
  readonly setDigest: Uint8Array;
  readonly height: number;
  readonly historyRoot: Uint8Array;
};

export type OwnTransactionsParts = {
  readonly selfId: string;
  readonly keysDir: string;
  readonly ledgerHash: Uint8Array;
  /** The link key. */
  readonly signer: Signer;
  /** The highest counter of the link key that the ledger has seen. */
  readonly counterSeen: () => bigint;
  readonly submit: (transaction: Uint8Array) => void;
};

export type OwnTransactions = {
  /** Errors: `counter.*`. */
  say(word: OwnWord, position: Position): Promise<CairnError | null>;
};

export function createOwnTransactions(parts: OwnTransactionsParts): OwnTransactions {
  const { selfId, keysDir, ledgerHash, signer } = parts;
  return {
    async say(word, position) {
      const counter = await reserveCounters(join(keysDir, 'link.key'), 1, parts.counterSeen() + 1n);
      if (!counter.ok) return counter.error;
      const operations = [operationOf(word, selfId, position)];
      parts.submit(signTransaction({ ledgerHash, counter: counter.value, operations }, signer));
      return null;
    },
  };
}

function operationOf(word: OwnWord, selfId: string, position: Position) {
  switch (word.type) {
    case 'ready':
      return ready.toCbor({ validator: selfId, life: word.life, ...position });
    case 'present':
      return attest.toCbor({ validator: selfId, verdict: 'present', reason: 'present' });
    case 'fenced':
      return attest.toCbor({ validator: selfId, verdict: 'fenced', reason: word.reason });
    case 'suspect':
      return attest.toCbor({ validator: word.validator, verdict: 'suspect', reason: 'silent' });
    case 'clear':
      return attest.toCbor({ validator: word.validator, verdict: 'clear', reason: 'working' });
    default:
      return unreachable(word);
  }
}
