/** The part of sodium-native that Cairn uses; the package brings no types. */
declare module 'sodium-native' {
  const sodium: {
    readonly crypto_sign_PUBLICKEYBYTES: number;
    readonly crypto_sign_SECRETKEYBYTES: number;
    /** Fills both keys. */
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
    /** Fills the signature. */
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
    /** Fills the digest, of 32 bytes. */
    crypto_hash_sha256(digest: Uint8Array, message: Uint8Array): void;
    /** Throws on wrong lengths; accepts trailing bytes after the signature. */
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
    /** Canonical, on the curve, of the main subgroup, and not of small order. */
    crypto_core_ed25519_is_valid_point(point: Uint8Array): boolean;
  };
  export = sodium;
}
