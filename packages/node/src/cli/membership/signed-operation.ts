/** One operation, signed by a person of a member and handed in; answers with the ledger's verdict. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type CairnError, type EncodedOperation, fail, type Result, toHex } from '@cairn-ledger/core';
import { type Client, signTransaction, transactionIdOf } from '@cairn-ledger/sdk';
import { CommandFailed, orFail } from '../exit-code.ts';
import { type KeyInUse, takeCounter } from '../signing.ts';

const WAIT_MS = 5_000;
const PAUSE_MS = 200;

export async function signOperation(
  ledgerHash: Uint8Array,
  key: KeyInUse,
  operation: EncodedOperation,
): Promise<Uint8Array> {
  const content = { ledgerHash, counter: await takeCounter(key), operations: [operation] };
  return orFail(signTransaction(content, key.signer));
}

/**
 * Hands a transaction in and waits for its verdict; handing it in again is the same transaction.
 *
 * @returns its id, hexadecimal
 * Errors: the ledger's code where it is rejected; `client.timeout`, `client.unreachable`, and what the node says
 */
export async function settle(
  client: Client,
  transaction: Uint8Array,
  timeoutMs: number,
): Promise<Result<string, CairnError>> {
  const id = transactionIdOf(transaction);
  if (!id.ok) return id;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) {
      return fail({
        code: 'client.timeout',
        message: `the network has not decided on transaction ${id.value} in time. \`cairn show ${id.value}\` tells what became of it`,
      });
    }
    const outcomes = await client.submitMany([transaction], Math.min(WAIT_MS, leftMs), { timeoutMs: leftMs });
    if (!outcomes.ok) return outcomes;
    const { status, code, message } = outcomes.value[0]!;
    if (status === 'accepted') return id;
    if (status === 'rejected')
      return fail({ code: code ?? 'tx.rejected', message: message ?? 'the ledger rejected the transaction' });
    await sleep(PAUSE_MS);
  }
}

/** The member that a key signs for as a person; ends the command when it is nobody's. */
export async function memberOfKey(client: Client, key: KeyInUse): Promise<string> {
  const kid = toHex(key.signer.kid);
  const members = orFail(await client.members());
  const owner = members.find(({ keys }) =>
    keys.some((each) => each.kid === kid && each.role === 'person' && each.revokedHeight === undefined),
  );
  if (owner !== undefined) return owner.id;
  throw new CommandFailed({
    code: 'usage.other-member',
    message: `${key.path} is not a person key of any member: proposing and voting are for persons. Name one with --key`,
  });
}
