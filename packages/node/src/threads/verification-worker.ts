/**
 * Verification thread: checks the device signatures of one batch after another, each under the key registered for its
 * kid. A kid that is not registered yet is left to execution ("unknown").
 */
import { parentPort, workerData } from 'node:worker_threads';
import { installNodeSha256 } from '../crypto/sha256.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { createCheckedStore, hashesOfBuckets } from '../storage/checked-state.ts';
import { readStateHashes } from '../storage/state-hashes.ts';
import { createBatchPreparer } from './batch-preparer.ts';
import type { FromVerification, ToVerification, VerificationSettings } from './messages.ts';
import { yieldToAgreement } from './thread-priority.ts';

installNodeSha256();
yieldToAgreement();
const port = parentPort!;
const settings = workerData as VerificationSettings;
const chain = orThrow(openChainDb(settings.chainPath, { readOnly: true }));
const hashes = hashesOfBuckets(readStateHashes(settings.stateHashes), (bucket) => chain.stateBucket(bucket));
const preparer = createBatchPreparer(createCheckedStore(chain.store, hashes), sodiumVerifier);

port.on('message', (message: ToVerification) => {
  if (message.type === 'stop') {
    chain.close();
    port.close();
    return;
  }
  const { verdicts } = preparer.open(message.batch, true);
  const answer: FromVerification = { type: 'verified', number: message.number, verdicts };
  port.postMessage(answer, [verdicts.buffer as ArrayBuffer]);
});
