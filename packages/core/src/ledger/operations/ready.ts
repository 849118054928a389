/**
 * ready: a node says that it holds the ledger and may sign from the next epoch on, with a life number it has drawn for its
 * safety record; signed with the link key of a validator that is admitted, or of one of the set that returns.
 *
 *     [ 10, validator id, life: bstr .size 16, set digest: bstr .size 32, height, history root: bstr .size 32 ]
 *
 * The digest is that of the present set: a node that doesn't know it hasn't followed the chain. Height and history root
 * are where its copy stands; they are kept for people to see, the ledger can't compare them.
 */
import { equalBytes } from '../../bytes/hex.ts';
import { bytesOf, requireShape, uintOf } from '../../bytes/shape.ts';
import { readName } from '../../model/registered-key.ts';
import { lifeSizeBytes, type Validator, validatorSetDigest } from '../../model/validator-set.ts';
import type { CairnError } from '../../result.ts';
import { admissionOf, faultyWith } from '../admissions.ts';
import { addToAgenda } from '../agenda.ts';
import { errorOf } from '../errors.ts';
import { isSignedBy } from '../keys.ts';
import { paths, validatorKind } from '../records.ts';
import { readyHeights } from '../set-changes.ts';
import { heightKind, readyKind } from '../set-records.ts';
import { isSameLife } from '../suspensions.ts';
import type { OperationContext, OperationKind } from './operation.ts';

/** Heights between two returns of one validator. */
export const returnHeights = 1_000;

export type Ready = {
  readonly validator: string;
  readonly life: Uint8Array;
  readonly setDigest: Uint8Array;
  readonly height: number;
  readonly historyRoot: Uint8Array;
};

export const ready: OperationKind<Ready> = {
  code: 10,
  name: 'ready',
  toCbor: ({ validator, life, setDigest, height, historyRoot }) => [
    10,
    validator,
    life,
    setDigest,
    height,
    historyRoot,
  ],
  read(items) {
    requireShape(items.length === 5, 'ready takes 5 arguments');
    const [validator, life, setDigest, height, historyRoot] = items;
    return {
      validator: readName(validator!, 'validator'),
      life: bytesOf(life!, 'life number', lifeSizeBytes),
      setDigest: bytesOf(setDigest!, 'set digest', 32),
      height: uintOf(height!, 'height'),
      historyRoot: bytesOf(historyRoot!, 'history root', 32),
    };
  },
  apply(context, { validator: id, life, setDigest, height: ownHeight, historyRoot }) {
    const { state, height, events } = context;
    const admitted = admissionOf(state, id)?.validator;
    const isAdmitted = admitted !== undefined && isSignedBy(context, admitted.linkKey);
    const present = context.validators().find((each) => each.id === id);
    const isReturning = !isAdmitted && present !== undefined && isSignedBy(context, present.linkKey);
    if (!isAdmitted && !isReturning) return errorOf('ready.not-admitted', id);
    if (ownHeight >= height || height - ownHeight > readyHeights) {
      return errorOf('ready.wrong-height', `${ownHeight} in block ${height}`);
    }
    if (!equalBytes(setDigest, validatorSetDigest(context.validators()))) return errorOf('ready.wrong-set');
    const lives = [present?.life, state.get(validatorKind, paths.validator(id))?.life];
    if (lives.some((each) => each !== undefined && isSameLife(each, life))) return errorOf('ready.used-life');
    const refusal = isReturning ? returnRefusal(context, present!) : null;
    if (refusal !== null) return refusal;
    const linkKey = isAdmitted ? admitted.linkKey : present!.linkKey;
    state.set(readyKind, paths.ready(id), { linkKey, life, height, ownHeight, historyRoot });
    addToAgenda(state, 'readies', id);
    events.push({ type: 'validator-ready', validator: id, kind: isAdmitted ? 'admission' : 'return', life });
    return null;
  },
};

function returnRefusal({ state, height }: OperationContext, validator: Validator): CairnError | null {
  const last = state.get(heightKind, paths.lastReturn(validator.id));
  if (last !== null && height - last < returnHeights) {
    return errorOf('ready.too-soon', `from height ${last + returnHeights}`);
  }
  const faulty = faultyWith(state, validator);
  return faulty === null ? null : errorOf('validator.faulty-key', `${faulty} was proven faulty`);
}
