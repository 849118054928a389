/**
 * Signed transactions made beforehand, on all cores: what is measured is the network, not the devices. Worker threads each
 * sign for their own share of the devices.
 */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { encodePack, integerToDecimal, type ReadingInput, signTransaction } from '../packages/core/src/index.ts';
import { installNodeSha256 } from '../packages/node/src/crypto/sha256.ts';
import { createNodeSigner } from '../packages/node/src/crypto/signer.ts';
import { readKeyFile } from '../packages/node/src/keys/key-file.ts';

export type SigningJob = {
  readonly ledgerHash: Uint8Array;
  readonly keyPaths: readonly string[];
  readonly transactionsCount: number;
  readonly readingsCount: number;
  /** Opaque bytes in each transaction, beside its readings. */
  readonly payloadBytes: number;
  /** Counters start after this one. */
  readonly counterBase: number;
};

/** Signs them all; the order takes turns over the devices. */
export async function signTransactions(job: SigningJob): Promise<Uint8Array[]> {
  const workers = availableParallelism();
  const shares = await Promise.all(
    Array.from({ length: workers }, (_, w) => {
      const share: SigningJob = {
        ...job,
        keyPaths: job.keyPaths.filter((_, i) => i % workers === w),
        transactionsCount: Math.ceil(job.transactionsCount / workers),
      };
      const worker = new Worker(new URL(import.meta.url), { workerData: share });
      return new Promise<Uint8Array[]>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    }),
  );
  const transactions: Uint8Array[] = [];
  for (let i = 0; transactions.length < job.transactionsCount; i++)
    for (const share of shares) if (share[i] !== undefined) transactions.push(share[i]!);
  return transactions;
}

function signShare(job: SigningJob): Uint8Array[] {
  installNodeSha256();
  const signers = job.keyPaths.map((path) => {
    const key = readKeyFile(path);
    if (!key.ok) throw new Error(key.error.message);
    return createNodeSigner('ed25519', key.value.secretKey);
  });
  const startSeconds = 1_700_000_000;
  return Array.from({ length: job.transactionsCount }, (_, i) => {
    const counter = job.counterBase + Math.floor(i / signers.length) + 1;
    const startAt = startSeconds + counter * job.readingsCount;
    const payload: ReadingInput[] =
      job.payloadBytes === 0
        ? []
        : [
            {
              name: 'payload',
              time: integerToDecimal(BigInt(startAt)),
              value: { type: 'data', bytes: new Uint8Array(job.payloadBytes) },
            },
          ];
    const pack = encodePack([
      ...payload,
      ...Array.from(
        { length: job.readingsCount },
        (_, r): ReadingInput => ({
          name: 'temperature',
          unit: 'Cel',
          time: integerToDecimal(BigInt(startAt + r)),
          value: {
            type: 'number' as const,
            decimal: { mantissa: BigInt(2000 + ((counter * 7 + r) % 500)), exponent: -2 },
          },
        }),
      ),
    ]);
    if (!pack.ok) throw new Error(pack.error.message);
    return signTransaction(
      { ledgerHash: job.ledgerHash, counter: BigInt(counter), senml: pack.value },
      signers[i % signers.length]!,
    );
  });
}

if (!isMainThread) parentPort!.postMessage(signShare(workerData as SigningJob));
