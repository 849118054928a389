/**
 * How many device signatures this machine verifies in a second, on all its cores at once: the ceiling of everything a
 * node does, measured in the same run as the rest.
 */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { createNodeSigner, createSecretKey } from '../packages/node/src/crypto/signer.ts';
import { sodiumVerifier } from '../packages/node/src/crypto/sodium-verifier.ts';

const measuredMs = 1_500;
/** About what a transaction with one reading has to be signed over. */
const messageBytes = 130;

/** Verifications per second of all cores together. */
export async function measureVerificationRate(): Promise<number> {
  const rates = await Promise.all(
    Array.from({ length: availableParallelism() }, () => {
      const worker = new Worker(new URL(import.meta.url));
      return new Promise<number>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
    }),
  );
  return rates.reduce((sum, rate) => sum + rate, 0);
}

function measureHere(): number {
  const signer = createNodeSigner('ed25519', createSecretKey('ed25519'));
  const messages = Array.from({ length: 64 }, (_, i) => new Uint8Array(messageBytes).fill(i));
  const signatures = messages.map((message) => signer.sign(message));
  const verifyAll = (): void => {
    messages.forEach((message, i) => {
      if (!sodiumVerifier.verify('ed25519', signer.publicKey, message, signatures[i]!))
        throw new Error('a valid signature was refused');
    });
  };
  for (let i = 0; i < 20; i++) verifyAll();
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < measuredMs) {
    verifyAll();
    count += messages.length;
  }
  return (count / (performance.now() - start)) * 1000;
}

if (!isMainThread) parentPort!.postMessage(measureHere());
