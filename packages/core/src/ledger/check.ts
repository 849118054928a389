/**
 * Admission of a transaction to the mempool: what execution would say, on the state as it is. The same functions decide,
 * so the two cannot drift apart; here the changes are rehearsed only.
 */
import type { Verifier } from '../crypto/verifier.ts';
import type { Transaction } from '../model/transaction.ts';
import { type CairnError, fail, ok, type Result } from '../result.ts';
import { admit, type Moment } from './admission.ts';
import { applyTransaction } from './apply.ts';
import { isCurable } from './errors.ts';
import { rulesLatest, rulesOf } from './operations/rules.ts';
import { chargeQuota } from './quotas.ts';
import { type ReadingSource, readingSourceOf } from './readings.ts';
import { type KeyRecord, parametersKind, paths } from './records.ts';
import { targetSetOf } from './target-set.ts';
import type { WorkingState } from './working-state.ts';

type CheckContext = { readonly audience: string; readonly checkPublicKey: Verifier['checkPublicKey'] };

export function checkTransaction(
  state: WorkingState,
  transaction: Transaction,
  moment: Moment,
  { audience, checkPublicKey }: CheckContext,
): Result<{ readonly key: KeyRecord; readonly source: ReadingSource | null }, CairnError> {
  const admitted = admit(state, transaction, moment, audience);
  if (!admitted.ok) return admitted;
  const { key, actor } = admitted.value;
  const parameters = state.get(parametersKind, paths.parameters)!;
  const refusal = state.rehearse(
    () =>
      chargeQuota(state, parameters, key.member, moment.timeMs, transaction.bytes.length) ??
      applyTransaction(rulesOf(rulesLatest), transaction, {
        state,
        actor,
        height: moment.height,
        transaction: transaction.id,
        parameters,
        validators: () => targetSetOf(state),
        checkPublicKey,
        events: [],
      }),
  );
  if (refusal !== null && !isCurable(refusal)) return fail(refusal);
  const source = transaction.body.senml === undefined ? null : readingSourceOf(actor, transaction.header.sub);
  return ok({ key, source: source?.ok ? source.value : null });
}
