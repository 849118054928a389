/**
 * What the members can decide by vote, as it stands in a proposal.
 *
 *     Change = [0, member id, display name, algorithm, publicKey]     ; a member joins, with its first person key
 *            / [1, Validator]         ; a validator is admitted: new, returning, or with new keys or addresses; life is null
 *            / [2, validator id]      ; a validator leaves, or its admission is withdrawn
 *            / [3, Parameters]        ; all of them; those the engine is built on stay as they are
 *            / [4, rules: uint]       ; the number after the present one
 */
import type { Cbor } from '../bytes/cbor.ts';
import { requireShape, textOf, tupleOf, uintOf } from '../bytes/shape.ts';
import type { KeyAlgorithm } from '../crypto/verifier.ts';
import { displayNameMax, rulesMax } from '../model/genesis.ts';
import { type Parameters, parametersToCbor, readParametersShape } from '../model/parameters.ts';
import { algorithmToCode, readAlgorithm, readName, readPublicKey } from '../model/registered-key.ts';
import { readValidator, type Validator, validatorToCbor } from '../model/validator-set.ts';
import { unreachable } from '../result.ts';

export type Change =
  | {
      readonly type: 'add-member';
      readonly member: string;
      /** Display name. */
      readonly name: string;
      readonly algorithm: KeyAlgorithm;
      readonly publicKey: Uint8Array;
    }
  | { readonly type: 'admit-validator'; readonly validator: Validator }
  | { readonly type: 'remove-validator'; readonly validator: string }
  | { readonly type: 'change-parameters'; readonly parameters: Parameters }
  | { readonly type: 'change-rules'; readonly rules: number };

export function changeToCbor(change: Change): Cbor {
  switch (change.type) {
    case 'add-member':
      return [0, change.member, change.name, algorithmToCode(change.algorithm), change.publicKey];
    case 'admit-validator':
      return [1, validatorToCbor(change.validator)];
    case 'remove-validator':
      return [2, change.validator];
    case 'change-parameters':
      return [3, parametersToCbor(change.parameters)];
    case 'change-rules':
      return [4, change.rules];
    default:
      return unreachable(change);
  }
}

/** For use inside `readShape`. */
export function readChange(value: Cbor): Change {
  requireShape(Array.isArray(value) && value.length >= 1, 'a change is a list that begins with its kind');
  switch (uintOf(value[0]!, 'kind of change', 4)) {
    case 0: {
      const [, member, name, algorithmCode, publicKey] = tupleOf(value, 5, 'a change that adds a member');
      const algorithm = readAlgorithm(algorithmCode!);
      return {
        type: 'add-member',
        member: readName(member!, 'member'),
        name: textOf(name!, 'display name', displayNameMax),
        algorithm,
        publicKey: readPublicKey(algorithm, publicKey!),
      };
    }
    case 1: {
      const [, item] = tupleOf(value, 2, 'a change that admits a validator');
      const validator = readValidator(item!);
      requireShape(validator.life === null, 'a validator gets its life number when it is ready, not before');
      return { type: 'admit-validator', validator };
    }
    case 2: {
      const [, validator] = tupleOf(value, 2, 'a change that removes a validator');
      return { type: 'remove-validator', validator: readName(validator!, 'validator') };
    }
    case 3: {
      const [, parameters] = tupleOf(value, 2, 'a change of parameters');
      return { type: 'change-parameters', parameters: readParametersShape(parameters!) };
    }
    default: {
      const [, rules] = tupleOf(value, 2, 'a change of rules');
      return { type: 'change-rules', rules: uintOf(rules!, 'rules', rulesMax) };
    }
  }
}
