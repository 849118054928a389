/**
 * register key: a person of a member registers a key for it, or for one of its devices; a device that is new comes on the
 * ledger with its first key.
 *
 *     [ 3, role: 0..3, algorithm: -19 / -9, publicKey, device: tstr / null, ? fromHeight: uint ]
 */
import { requireShape, uintOf } from '../../bytes/shape.ts';
import type { KeyAlgorithm } from '../../crypto/verifier.ts';
import {
  algorithmToCode,
  type KeyRole,
  readAlgorithm,
  readOptionalName,
  readPublicKey,
  readRole,
  roleToCode,
} from '../../model/registered-key.ts';
import { addKey, effectiveHeight } from '../keys.ts';
import { keyKeepingRefusal } from '../permissions.ts';
import { type OperationKind, withOptional } from './operation.ts';

export type RegisterKey = {
  readonly role: KeyRole;
  readonly algorithm: KeyAlgorithm;
  readonly publicKey: Uint8Array;
  readonly device: string | null;
  readonly fromHeight?: number;
};

export const registerKey: OperationKind<RegisterKey> = {
  code: 3,
  name: 'register key',
  toCbor: ({ role, algorithm, publicKey, device, fromHeight }) =>
    withOptional([3, roleToCode(role), algorithmToCode(algorithm), publicKey, device], fromHeight),
  read(items) {
    requireShape(items.length === 4 || items.length === 5, 'register key takes 4 or 5 arguments');
    const [role, algorithmCode, publicKey, device, fromHeight] = items;
    const algorithm = readAlgorithm(algorithmCode!);
    return {
      role: readRole(role!),
      algorithm,
      publicKey: readPublicKey(algorithm, publicKey!),
      device: readOptionalName(device!, 'device'),
      ...(fromHeight !== undefined && { fromHeight: uintOf(fromHeight, 'height') }),
    };
  },
  apply(context, { fromHeight, ...key }) {
    const refusal = keyKeepingRefusal(context.actor);
    if (refusal !== null) return refusal;
    return addKey(context, { ...key, member: context.actor.member }, effectiveHeight(context, fromHeight));
  },
};
