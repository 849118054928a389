/** The Verifier of a node: Ed25519 by libsodium, more than twice as fast as OpenSSL; P-256 by OpenSSL. */
import { nobleVerifier, ok, passesEd25519Rule, type Verifier } from '@cairn-ledger/core';
import sodium from 'sodium-native';
import { checkP256Key, verifyP256 } from './node-crypto-verifier.ts';

export const sodiumVerifier: Verifier = {
  id: 'sodium',
  verify(algorithm, publicKey, message, signature) {
    if (algorithm === 'p256') return verifyP256(publicKey, message, signature);
    return passesEd25519Rule(publicKey, signature) && sodium.crypto_sign_verify_detached(signature, message, publicKey);
  },
  checkPublicKey(algorithm, publicKey) {
    if (algorithm === 'p256') return checkP256Key(publicKey);
    // A refusal is rare and has to say why, which only plain JavaScript can.
    const isValid = publicKey.length === 32 && sodium.crypto_core_ed25519_is_valid_point(publicKey);
    return isValid ? ok(undefined) : nobleVerifier.checkPublicKey(algorithm, publicKey);
  },
};
