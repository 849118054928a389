/**
 * Ends an epoch of a stored chain as the members have decided (protocol.md section 6, "Restart"). Everything is held against what is
 * stored: that the chain ends where the document says, with the result that it says, and that enough members have signed, by the
 * state of that height. Nothing but the restart block is written, and that in one transaction.
 *
 * The same function runs at every start, so it does not matter when a node stopped; what was applied is not applied again.
 */
import {
  type CairnError,
  checkpointDigest,
  checkRestart,
  equalBytes,
  fail,
  ok,
  type Result,
  type SignedRestart,
  toHex,
  type Verifier,
} from '@cairn-ledger/core';
import type { ChainDb } from '../storage/chain-db.ts';
import { storedStatement } from '../storage/stored-statement.ts';
import type { ChainExecutor } from '../threads/chain-executor.ts';
import type { Restarts } from './restart-files.ts';

/** `applied`: the epoch has ended with its block. `ready`: the chain ends right below it. `below`: it has yet to get there. */
export type RestartState = 'applied' | 'ready' | 'below';

/**
 * How a chain stands to a document, which fits it and is signed by enough members where that can be told already.
 *
 * Errors: `restart.other-block`, `restart.finalized-above`, `restart.other-result`, `restart.other-epoch`; those of `checkRestart`.
 */
export function restartStateOf(
  chain: ChainDb,
  signed: SignedRestart,
  checkpointLag: number,
  verifier: Verifier,
): Result<RestartState, CairnError> {
  const { block, result } = signed.restart;
  const { header } = block;
  const next = chain.epochs.of(header.epoch + 1);
  if (next !== null) {
    const isBegun = next.genesisHeight === header.height && next.genesis !== null;
    // Of an epoch below the founding of the chain it is known who signed, and not by which block it began.
    const isSame = isBegun ? equalBytes(next.genesis!.digest, block.digest) : next.genesis === null;
    if (isSame && equalBytes(next.digest, header.nextSet!)) return ok('applied');
    const how = `epoch ${header.epoch} ended here with block ${next.genesisHeight}`;
    return refuse('restart.finalized-above', `${how}, and the document ends it with another block ${header.height}`);
  }
  const tip = chain.tip()!;
  const latest = chain.epochs.latest()!;
  if (header.epoch > latest.epoch || tip.height + 1 < header.height) return ok('below');
  if (tip.height + 1 > header.height) {
    const what = `block ${tip.height} is final here, and the document ends the epoch above block ${header.height - 1}`;
    return refuse('restart.finalized-above', what);
  }
  if (!equalBytes(tip.digest, header.parent)) {
    const own = toHex(tip.digest).slice(0, 16);
    return refuse('restart.other-block', `block ${tip.height} is ${own}... here, and another one in the document`);
  }
  if (header.rules !== latest.rules || header.timeMs !== tip.timeMs + 1)
    return refuse('restart.other-epoch', 'its rules or its time are not those that follow here');
  const named = storedStatement(chain, Math.max(0, header.height - checkpointLag));
  const isResult =
    equalBytes(checkpointDigest(storedStatement(chain, tip.height)), result) &&
    equalBytes(checkpointDigest(named), header.checkpoint);
  if (!isResult)
    return refuse('restart.other-result', `executing the blocks up to ${tip.height} gave another result here`);
  const votes = checkRestart(chain.store, signed, verifier);
  return votes.ok ? ok('ready') : votes;
}

/**
 * Ends the epoch that the chain is in, where a document says so and the chain has come to its height.
 *
 * Errors: those of `restartStateOf`. Throws a StorageError.
 *
 * @returns whether a block was added
 */
export function restartChain(
  chain: ChainDb,
  executor: Pick<ChainExecutor, 'execute'>,
  restarts: Restarts,
  checkpointLag: number,
  verifier: Verifier,
): Result<boolean, CairnError> {
  let isChanged = false;
  for (const [, signed] of [...restarts].sort(([a], [b]) => a - b)) {
    const state = restartStateOf(chain, signed, checkpointLag, verifier);
    if (!state.ok) return state;
    if (state.value !== 'ready') continue;
    const { block, validators } = signed.restart;
    executor.execute({ block, view: 0, finalization: null, batches: [], misbehaviour: [], restart: validators });
    isChanged = true;
  }
  return ok(isChanged);
}

function refuse(code: string, message: string): Result<never, CairnError> {
  return fail({ code, message });
}
