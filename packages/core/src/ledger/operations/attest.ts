/**
 * attest: a validator tells what it sees of another one, or of itself; signed with its link key.
 *
 *     [ 9, validator id, verdict, reason: word ]
 *     verdict = 0 suspect / 1 clear                 ; another validator of the set
 *             / 2 present / 3 fenced                ; itself
 *
 * The reason is a word like those of names, for people to read: what it has seen.
 */
import { requireShape } from '../../bytes/shape.ts';
import { readName } from '../../model/registered-key.ts';
import type { Validator } from '../../model/validator-set.ts';
import type { CairnError } from '../../result.ts';
import { noteAttestation } from '../attestations.ts';
import { errorOf } from '../errors.ts';
import { isSignedBy } from '../keys.ts';
import { notePresence } from '../presence.ts';
import { type AttestVerdict, readVerdict, verdictToCode } from '../set-records.ts';
import { lift, suspend } from '../suspensions.ts';
import type { OperationContext, OperationKind } from './operation.ts';

export type Attest = { readonly validator: string; readonly verdict: AttestVerdict; readonly reason: string };

export const attest: OperationKind<Attest> = {
  code: 9,
  name: 'attest',
  toCbor: ({ validator, verdict, reason }) => [9, validator, verdictToCode(verdict), reason],
  read(items) {
    requireShape(items.length === 3, 'attest takes 3 arguments');
    const [validator, verdict, reason] = items;
    return {
      validator: readName(validator!, 'validator'),
      verdict: readVerdict(verdict!),
      reason: readName(reason!, 'reason'),
    };
  },
  apply(context, { validator: id, verdict, reason }) {
    const validators = context.validators();
    const signer = validators.find(({ linkKey }) => isSignedBy(context, linkKey));
    if (signer === undefined) return errorOf('attest.not-validator');
    const refusal =
      verdict === 'suspect' || verdict === 'clear'
        ? attestOther(context, signer, id, { verdict, reason })
        : attestSelf(context, signer, id, verdict);
    if (refusal === null) context.events.push({ type: 'attested', validator: id, by: signer.id, verdict, reason });
    return refusal;
  },
};

function attestOther(
  context: OperationContext,
  signer: Validator,
  id: string,
  word: { readonly verdict: 'suspect' | 'clear'; readonly reason: string },
): CairnError | null {
  if (id === signer.id) return errorOf('attest.wrong-subject', `${word.verdict} is said of others`);
  const validators = context.validators();
  const accused = validators.find((each) => each.id === id);
  if (accused === undefined) return errorOf('validator.unknown', id);
  noteAttestation({ ...context, validators }, accused, { by: signer.id, height: context.height, ...word });
  return null;
}

function attestSelf(
  context: OperationContext,
  signer: Validator,
  id: string,
  verdict: 'present' | 'fenced',
): CairnError | null {
  if (id !== signer.id) return errorOf('attest.wrong-subject', `${verdict} is said of oneself`);
  const scene = { ...context, validators: context.validators() };
  if (verdict === 'fenced') {
    suspend(scene, signer, 'own-notice');
  } else {
    lift(scene, id, 'own-notice');
    notePresence(context.state, context.height, id);
  }
  return null;
}
