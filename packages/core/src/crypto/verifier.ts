/**
 * The port through which every signature is checked (wire-format.md section 2). Implementations must agree on every
 * input: whether a signature holds decides consensus. `ed25519-rule.ts` and `p256-rule.ts` hold what they share.
 */
import type { CairnError, Result } from '../result.ts';

export type KeyAlgorithm = 'ed25519' | 'p256';

export interface Verifier {
  /** Which implementation this is, for logs and tests. */
  readonly id: string;
  /**
   * Whether `signature` is a valid one; never throws, whatever the bytes.
   *
   * @param publicKey Ed25519: 32 bytes. P-256: 65 bytes, 0x04 || x || y
   * @param signature 64 bytes; P-256: r || s
   */
  verify(algorithm: KeyAlgorithm, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** Whether a key may be registered: on its curve, canonical, of full order. Slow (0.1 to 1 ms); once per key. */
  checkPublicKey(algorithm: KeyAlgorithm, publicKey: Uint8Array): Result<void, CairnError>;
}

/** Something that signs with one key; the key itself may be out of reach (a secure element). */
export interface Signer {
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: Uint8Array;
  /** 8 bytes, see `keyId`. */
  readonly kid: Uint8Array;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

/** Bytes of a public key, by algorithm. */
export function publicKeySizeBytes(algorithm: KeyAlgorithm): number {
  return algorithm === 'ed25519' ? 32 : 65;
}

/** Bytes of every signature. */
export const signatureSizeBytes = 64;
