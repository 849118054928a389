/**
 * rotate key: a new key takes the place of an old one, with its role and owner, from one height on. A person of the member
 * may do so, and the old key itself.
 *
 *     [ 4, oldKid: bstr .size 8, algorithm: -19 / -9, publicKey, ? fromHeight: uint ]
 */
import { equalBytes } from '../../bytes/hex.ts';
import { requireShape, uintOf } from '../../bytes/shape.ts';
import type { KeyAlgorithm } from '../../crypto/verifier.ts';
import { algorithmToCode, readAlgorithm, readPublicKey } from '../../model/registered-key.ts';
import { addKey, effectiveHeight, endKey, findOwnKey } from '../keys.ts';
import { keyKeepingRefusal } from '../permissions.ts';
import { readKid } from '../records.ts';
import { type OperationKind, withOptional } from './operation.ts';

export type RotateKey = {
  readonly oldKid: Uint8Array;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: Uint8Array;
  readonly fromHeight?: number;
};

export const rotateKey: OperationKind<RotateKey> = {
  code: 4,
  name: 'rotate key',
  toCbor: ({ oldKid, algorithm, publicKey, fromHeight }) =>
    withOptional([4, oldKid, algorithmToCode(algorithm), publicKey], fromHeight),
  read(items) {
    requireShape(items.length === 3 || items.length === 4, 'rotate key takes 3 or 4 arguments');
    const [oldKid, algorithmCode, publicKey, fromHeight] = items;
    const algorithm = readAlgorithm(algorithmCode!);
    return {
      oldKid: readKid(oldKid!),
      algorithm,
      publicKey: readPublicKey(algorithm, publicKey!),
      ...(fromHeight !== undefined && { fromHeight: uintOf(fromHeight, 'height') }),
    };
  },
  apply(context, { oldKid, algorithm, publicKey, fromHeight: asked }) {
    const isOwn = equalBytes(oldKid, context.actor.kid);
    const refusal = isOwn ? null : keyKeepingRefusal(context.actor);
    if (refusal !== null) return refusal;
    const old = findOwnKey(context, oldKid);
    if (!old.ok) return old.error;
    const { role, member, device } = old.value;
    const fromHeight = effectiveHeight(context, asked);
    // The old key goes first, so that an owner with as many keys as it may have can still rotate them.
    return (
      endKey(context, oldKid, old.value, fromHeight) ??
      addKey(context, { role, algorithm, publicKey, member, device }, fromHeight)
    );
  },
};
