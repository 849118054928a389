/**
 * Edge thread: lets transactions in. Each is decoded strictly, checked against the state as it stands, and its signature
 * verified; one that is refused but was executed before is answered as known, not handed over again. Then it goes to the main thread, together with all
 * others that came meanwhile, and is acknowledged once it is durable in a sealed batch.
 */
import {
  type CairnError,
  decodeTransaction,
  errorOf,
  type Ledger,
  type Store,
  type Transaction,
  toHex,
  type Verifier,
} from '@cairn-ledger/core';
import type { SubmitOutcome } from '../http/edge-port.ts';
import type { HandedOver } from './messages.ts';

/** Transactions admitted and not executed yet that are remembered; beyond, the node is busy. */
export const submittedMax = 50_000;
const busyRetryMs = 500;
/** What is said of a transaction that was executed before, when it comes again. */
const codesOfRepetition: ReadonlySet<string> = new Set([
  'tx.replayed',
  'tx.counter-too-old',
  'tx.expired',
  'tx.revoked-key',
]);

export type HandOver = (transactions: readonly Uint8Array[]) => Promise<HandedOver>;

export type AdmissionPorts = {
  readonly ledger: Ledger;
  readonly store: Store;
  readonly verifier: Verifier;
  /** Height and block time of the next block, as well as it is known. */
  readonly moment: () => { readonly height: number; readonly timeMs: number };
  /** Whether a transaction was executed already, whatever came of it. */
  readonly isExecuted: (id: Uint8Array) => boolean;
  /** The lowest height that this node has all of: what was executed below, it does not know. */
  readonly heldFrom: () => number;
  readonly handOver: HandOver;
};

export type Admission = {
  submit(transactions: readonly Uint8Array[]): Promise<SubmitOutcome[]>;
  /** Whether it was let in here and is not executed yet. */
  isPending(id: Uint8Array): boolean;
  /** These were executed: they can be looked up from now on. */
  onExecuted(ids: Uint8Array): void;
  readonly counters: Record<'accepted' | 'known' | 'rejected' | 'busy', number>;
};

type Submitted = Promise<HandedOver>;

export function createAdmission(ports: AdmissionPorts, countMax = submittedMax): Admission {
  /** Handed over and not executed yet, by id in hex. */
  const submitted = new Map<string, Submitted>();
  const counters = { accepted: 0, known: 0, rejected: 0, busy: 0 };
  let gathering: { readonly transactions: Uint8Array[]; readonly outcome: Submitted } | null = null;

  /** Joins the group that leaves at the end of this turn of the event loop. */
  function gather(transaction: Uint8Array): Submitted {
    if (gathering === null) {
      const transactions: Uint8Array[] = [];
      const outcome = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        gathering = null;
        return ports.handOver(transactions);
      });
      gathering = { transactions, outcome };
    }
    gathering.transactions.push(transaction);
    return gathering.outcome;
  }

  async function conclude(
    id: Uint8Array,
    name: string,
    outcome: Submitted,
    type: 'accepted' | 'known',
  ): Promise<SubmitOutcome> {
    const result = await outcome;
    if (result === 'safe') {
      counters[type]++;
      return { type, id };
    }
    submitted.delete(name);
    counters.busy++;
    const error: CairnError =
      result === 'busy'
        ? { code: 'node.busy', message: 'the node holds as many transactions as it may: send again a little later' }
        : result;
    return { type: 'busy', error, retryAfterMs: busyRetryMs };
  }

  function submitOne(
    bytes: Uint8Array,
    check: ReturnType<Ledger['openChecks']>,
  ): SubmitOutcome | Promise<SubmitOutcome> {
    const decoded = decodeTransaction(bytes);
    if (!decoded.ok) return reject(undefined, decoded.error);
    const transaction = decoded.value;
    const name = toHex(transaction.id);
    const known = submitted.get(name);
    if (known !== undefined) return conclude(transaction.id, name, known, 'known');
    if (submitted.size >= countMax) {
      counters.busy++;
      return {
        type: 'busy',
        error: { code: 'node.busy', message: 'too many transactions are under way: send again a little later' },
        retryAfterMs: busyRetryMs,
      };
    }
    const refusal = refusalOf(transaction, check);
    if (refusal !== null) {
      // A counter that was used may have been used by this very transaction: then it is known, not refused.
      if (!ports.isExecuted(transaction.id)) return reject(transaction.id, verdictOn(refusal));
      counters.known++;
      return { type: 'known', id: transaction.id };
    }
    const outcome = gather(bytes);
    submitted.set(name, outcome);
    return conclude(transaction.id, name, outcome, 'accepted');
  }

  function refusalOf(transaction: Transaction, check: ReturnType<Ledger['openChecks']>): CairnError | null {
    const checked = check(transaction);
    if (!checked.ok) return checked.error;
    const { algorithm, publicKey } = checked.value;
    const isValid = ports.verifier.verify(algorithm, publicKey, transaction.signedBytes, transaction.signature);
    return isValid ? null : errorOf('tx.bad-signature');
  }

  /** It may have been accepted where this node does not look: then the refusal would be a wrong answer. */
  function verdictOn(refusal: CairnError): CairnError {
    const heldFrom = codesOfRepetition.has(refusal.code) ? ports.heldFrom() : 0;
    if (heldFrom === 0) return refusal;
    const message = `whether it was executed before block ${heldFrom} is not known here, else it is refused (${refusal.code}): ask another node`;
    return { code: 'history.not-held', message };
  }

  function reject(id: Uint8Array | undefined, error: CairnError): SubmitOutcome {
    counters.rejected++;
    return { type: 'rejected', id, error };
  }

  return {
    counters,
    isPending: (id) => submitted.has(toHex(id)),
    submit(transactions) {
      const check = ports.ledger.openChecks(ports.store, ports.moment());
      return Promise.all(transactions.map((transaction) => submitOne(transaction, check)));
    },
    onExecuted(ids) {
      if (submitted.size === 0) return;
      for (let at = 0; at < ids.length; at += 32) submitted.delete(toHex(ids.subarray(at, at + 32)));
    },
  };
}
