/** The public door of core. */

export { base64urlToBytes, bytesToBase64url } from './bytes/base64url.ts';
// bytes
export type { Cbor, CborError, CborKey, CborOptions, Encodable } from './bytes/cbor.ts';
export { CborReader, CborWriter, decodeCbor, encodeCbor, Tagged } from './bytes/cbor.ts';
export type { Sha256 } from './crypto/hash.ts';
export { installSha256, sha256 } from './crypto/hash.ts';
export { coseAlgorithmsOf, encodeCoseKey, keyId, keyIdSizeBytes, keyThumbprint } from './crypto/keys.ts';
export {
  emptyRoot,
  leafHash,
  merklePathMax,
  merkleRoot,
  nodeHash,
  proveConsistency,
  proveInclusion,
  rootFromInclusionProof,
  verifyConsistency,
  verifyInclusion,
} from './crypto/merkle.ts';
export { signedBytes } from './crypto/sealed.ts';
export type { SignatureCheck, Verified } from './crypto/verified.ts';
export { acceptVerdicts, verifySignatures } from './crypto/verified.ts';
export type { KeyAlgorithm, Signer, Verifier } from './crypto/verifier.ts';
export { publicKeySizeBytes, signatureSizeBytes } from './crypto/verifier.ts';
export type { CheckpointHeader, CheckpointStatement } from './model/checkpoint.ts';
export {
  checkpointDigest,
  checkpointSignedBytes,
  checkpointStatementToCbor,
  decodeCheckpointStatement,
  decodeProtectedHeader,
  encodeCheckpointStatement,
  issuerOf,
  protectedHeaderOf,
  readCheckpointStatement,
} from './model/checkpoint.ts';
export type { Validator } from './model/validator-set.ts';
export {
  quorum,
  readValidator,
  readValidatorSet,
  sortValidators,
  validatorSetDigest,
  validatorToCbor,
} from './model/validator-set.ts';
export type { CairnError, Failure, Ok, Result } from './result.ts';
export { AssertionFailed, assert, fail, ok, unreachable } from './result.ts';
