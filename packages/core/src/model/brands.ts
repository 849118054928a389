/**
 * Names for numbers and bytes that must not be mixed up. A brand is made only where it is checked (decoding) or derived
 * from one that was.
 */

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Number of a block in the chain; genesis is 0. Safe integer. */
export type Height = Brand<number, 'Height'>;
/** Number of an attempt to agree within an epoch; the epoch's genesis is view 0. Safe integer. */
export type View = Brand<number, 'View'>;
/** Number of a fixed validator set; the first is 1. Safe integer. */
export type Epoch = Brand<number, 'Epoch'>;
/** Position of a validator in its epoch's set, sorted by id; 0-based. */
export type ValidatorIndex = Brand<number, 'ValidatorIndex'>;
/** A SHA-256 digest: 32 bytes. */
export type Hash = Brand<Uint8Array, 'Hash'>;

export const toHeight = (value: number): Height => value as Height;
export const toView = (value: number): View => value as View;
export const toEpoch = (value: number): Epoch => value as Epoch;
export const toValidatorIndex = (value: number): ValidatorIndex => value as ValidatorIndex;
export const toHash = (value: Uint8Array): Hash => value as Hash;
