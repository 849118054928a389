/** Height 0 as a chain has it: a function of the genesis alone. */
import {
  type CheckpointStatement,
  createHistoryTree,
  createLedger,
  createStateTree,
  encodeCheckpointStatement,
  firstEpoch,
  type Genesis,
  type Hash,
  toHeight,
  validatorSetDigest,
} from '@cairn-ledger/core';
import type { StoredBlock } from '../storage/chain-db.ts';
import { encodeVerdicts } from '../storage/verdicts.ts';

export type GenesisOutcome = {
  readonly statement: CheckpointStatement;
  readonly encodedStatement: Uint8Array;
  readonly row: StoredBlock;
};

export function genesisOutcome(genesis: Genesis, ledgerHash: Hash): GenesisOutcome {
  const { writes, leaves } = createLedger({ genesis, verify: () => false }).genesis();
  const history = createHistoryTree({ get: () => null }, 0).append(leaves);
  const statement: CheckpointStatement = {
    ledgerHash,
    epoch: firstEpoch,
    height: toHeight(0),
    round: 0,
    historySize: history.size,
    historyRoot: history.root,
    stateRoot: createStateTree({ entriesBetween: () => [] }).update(writes),
    validatorSet: validatorSetDigest(genesis.validators),
  };
  const row: StoredBlock = {
    height: 0,
    digest: ledgerHash,
    header: new Uint8Array(0),
    body: new Uint8Array(0),
    view: 0,
    finalization: null,
    timeMs: genesis.timeMs,
    historySize: history.size,
    verdicts: encodeVerdicts([]),
  };
  return { statement, encodedStatement: encodeCheckpointStatement(statement), row };
}
