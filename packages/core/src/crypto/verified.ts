/**
 * `Verified<T>`: a value whose signatures were checked. Only this folder makes one, so a function that takes it can't be
 * given anything else.
 */
import type { Verifier } from './verifier.ts';

declare const verified: unique symbol;
export type Verified<T> = T & { readonly [verified]: true };

/** One Ed25519 signature that a value claims to carry. */
export type SignatureCheck = {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
};

/** Checks every signature of a value; null when one does not hold. No checks: there was nothing to forge. */
export function verifySignatures<T>(
  value: T,
  checks: readonly SignatureCheck[],
  verifier: Verifier,
): Verified<T> | null {
  for (const { publicKey, message, signature } of checks) {
    if (!verifier.verify('ed25519', publicKey, message, signature)) return null;
  }
  return value as Verified<T>;
}

/** For checks done elsewhere (worker threads): one verdict for each signature of the value, all of them needed. */
export function acceptVerdicts<T>(value: T, verdicts: readonly boolean[]): Verified<T> | null {
  return verdicts.every((isValid) => isValid) ? (value as Verified<T>) : null;
}
