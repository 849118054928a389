/**
 * Execution of a finalized block. Each transaction gets its verdict in order; accepted ones become leaves of the history
 * tree. What the block changes is returned as writes and reaches the store only with the whole block.
 *
 * A transaction that occurs again finds its counter used: `tx.replayed`. Such a verdict never replaces an earlier one of
 * the same transaction (protocol.md section 2).
 *
 * Before the transactions come the suspensions that end and what the block proves; after them, signs of life, proposals
 * that lapse, and the target set: what the ledger makes of it, or, with a restart, the members outside of it.
 */
import type { KeyAlgorithm, Verifier } from '../crypto/verifier.ts';
import type { Hash } from '../model/brands.ts';
import type { Parameters } from '../model/parameters.ts';
import { type Transaction, transactionEntry } from '../model/transaction.ts';
import type { Validator } from '../model/validator-set.ts';
import { assert, type CairnError } from '../result.ts';
import { admit, useCounter } from './admission.ts';
import { applyTransaction } from './apply.ts';
import { type ErrorCode, errorOf } from './errors.ts';
import type { LedgerEvent } from './events.ts';
import { type Misbehaviour, recordMisbehaviour } from './misbehaviour.ts';
import { type Rules, rulesOf } from './operations/rules.ts';
import type { Actor } from './permissions.ts';
import { noteAuthors } from './presence.ts';
import { lapseProposals } from './proposals.ts';
import { chargeQuota } from './quotas.ts';
import { type Provenance, readingSourceOf } from './readings.ts';
import { parametersKind, paths } from './records.ts';
import { changeTarget, restartTarget } from './set-changes.ts';
import type { Store, Write } from './store.ts';
import { endSuspensions, type LeaderHint, leaderHintsBetween, suspensionsOf } from './suspensions.ts';
import { targetRulesOf, targetSetAfter } from './target-set.ts';
import { createWorkingState, type WorkingState } from './working-state.ts';

/** What stood in a batch as a transaction but does not decode as one. */
export type MalformedTransaction = { readonly malformed: Uint8Array; readonly id: Hash };

export type LedgerBlock = {
  readonly height: number;
  readonly timeMs: number;
  readonly rules: number;
  readonly epoch: number;
  readonly transactions: readonly (Transaction | MalformedTransaction)[];
  readonly misbehaviour: readonly Misbehaviour[];
  /** The set of the block's epoch, ascending by id. */
  readonly validators: readonly Validator[];
  /** Ids of the validators that have a batch listed in the block, in any order. */
  readonly authors: readonly string[];
  /** In a block with which the members restart the network: the set that goes on, in place of what the ledger wanted. */
  readonly restart?: readonly Validator[];
};

export type TransactionResult = {
  readonly code: 'ok' | ErrorCode;
  /** What happened and what to do; absent when accepted. */
  readonly message?: string;
  /** True when the transaction is a leaf of the history tree, in the order of results. */
  readonly leafEntry: boolean;
  /** True when its counter is used up: the same content is then never accepted again under it. */
  readonly isCounterUsed: boolean;
  /** Whose key signed, once the signature is known to hold; with the device that signed or was attested. */
  readonly member?: string;
  readonly device?: string;
  /** For readings. */
  readonly provenance?: Provenance;
};

export type NewKey = { readonly kid: Uint8Array; readonly algorithm: KeyAlgorithm; readonly publicKey: Uint8Array };

export type Execution = {
  /** One for each transaction of the block, in order. */
  readonly results: readonly TransactionResult[];
  /** Entries of the accepted transactions, in order. */
  readonly entries: readonly Hash[];
  /** At most one for each key, ascending by key. */
  readonly writes: readonly Write[];
  readonly newKeys: readonly NewKey[];
  /** The set that the ledger wants from now on, ascending by id; null when this block did not change it. */
  readonly targetSet: readonly Validator[] | null;
  /** Number of the rules that the ledger wants from now on. */
  readonly targetRules: number;
  readonly leaderHints: readonly LeaderHint[];
  readonly events: readonly LedgerEvent[];
};

export type ExecutionContext = {
  readonly audience: string;
  readonly verify: (transaction: Transaction, algorithm: KeyAlgorithm, publicKey: Uint8Array) => boolean;
  readonly checkPublicKey: Verifier['checkPublicKey'];
};

type BlockContext = ExecutionContext & {
  readonly block: LedgerBlock;
  readonly state: WorkingState;
  readonly rules: Rules;
  readonly parameters: Parameters;
  readonly events: LedgerEvent[];
};

export function executeBlock(store: Store, block: LedgerBlock, context: ExecutionContext): Execution {
  assert(Number.isSafeInteger(block.height) && block.height >= 1, 'the height of a block is at least 1');
  assert(Number.isSafeInteger(block.timeMs) && block.timeMs >= 0, 'block time is a safe integer');
  const state = createWorkingState(store);
  const parameters = state.get(parametersKind, paths.parameters);
  assert(parameters !== null, 'the state was written from the genesis before the first block');
  const blockContext = {
    ...context,
    block,
    state,
    rules: rulesOf(block.rules),
    parameters,
    events: [] as LedgerEvent[],
  };
  const scene = { state, ...block, events: blockContext.events };
  const suspendedBefore = suspensionsOf(state);
  endSuspensions(scene);
  for (const fault of block.misbehaviour) recordMisbehaviour(scene, fault);
  const results: TransactionResult[] = [];
  const entries: Hash[] = [];
  for (const transaction of block.transactions) {
    const result = 'malformed' in transaction ? malformedResult : executeTransaction(blockContext, transaction);
    results.push(result);
    if (result.leafEntry) entries.push(transactionEntry(transaction as Transaction));
  }
  noteAuthors(state, block.height, block.authors);
  lapseProposals(scene);
  if (block.restart === undefined) changeTarget(scene);
  else restartTarget(scene, block.restart);
  return {
    results,
    entries,
    writes: state.writes(),
    newKeys: blockContext.events.filter((event) => event.type === 'key-registered'),
    targetSet: targetSetAfter(store, state),
    targetRules: targetRulesOf(state),
    leaderHints: leaderHintsBetween(suspendedBefore, suspensionsOf(state), block.validators),
    events: blockContext.events,
  };
}

const malformedResult: TransactionResult = {
  ...errorToVerdict(errorOf('tx.malformed')),
  leafEntry: false,
  isCounterUsed: false,
};

function executeTransaction(context: BlockContext, transaction: Transaction): TransactionResult {
  const { block, state, parameters, events } = context;
  const admitted = admit(state, transaction, block, context.audience);
  if (!admitted.ok) return { ...errorToVerdict(admitted.error), leafEntry: false, isCounterUsed: false };
  const { key, actor } = admitted.value;
  if (!context.verify(transaction, key.algorithm, key.publicKey)) {
    return { ...errorToVerdict(errorOf('tx.bad-signature')), leafEntry: false, isCounterUsed: false };
  }
  useCounter(state, transaction, admitted.value);
  const eventsBefore = events.length;
  const refusal =
    chargeQuota(state, parameters, key.member, block.timeMs, transaction.bytes.length) ??
    state.attempt(() =>
      applyTransaction(context.rules, transaction, {
        state,
        actor,
        height: block.height,
        transaction: transaction.id,
        parameters,
        validators: () => block.validators,
        checkPublicKey: context.checkPublicKey,
        events,
      }),
    );
  const signer = signerOf(transaction, admitted.value.actor);
  if (refusal === null) return { code: 'ok', leafEntry: true, isCounterUsed: true, ...signer };
  events.length = eventsBefore;
  return { ...errorToVerdict(refusal), leafEntry: false, isCounterUsed: true, ...signer };
}

type Signer = Pick<TransactionResult, 'member' | 'device' | 'provenance'>;

function signerOf({ header, body }: Transaction, actor: Actor): Signer {
  const source = body.senml === undefined ? null : readingSourceOf(actor, header.sub);
  if (source?.ok) return source.value;
  return actor.device === null ? { member: actor.member } : { member: actor.member, device: actor.device };
}

function errorToVerdict(error: CairnError): { readonly code: ErrorCode; readonly message: string } {
  return { code: error.code as ErrorCode, message: error.message };
}
