/** What the edge thread tells Prometheus of the validators: how each stands, and who alone has more than are harmless. */
import { resilienceOf } from '@cairn-ledger/core';
import { concentrationsOf, votersOf } from '../concentration.ts';
import type { MembershipView } from '../http/membership-port.ts';
import type { LabelledSample, MetricSamples } from '../metrics.ts';

export function standingSamples({ validators }: Pick<MembershipView, 'validators'>): MetricSamples {
  const voters = votersOf(validators);
  const { harmless } = resilienceOf(voters.length);
  const suspendedCount = voters.filter(({ state }) => state === 'suspended').length;
  return {
    validator_state: validators.flatMap(({ id, state, causes }): LabelledSample[] =>
      (causes.length === 0 ? [''] : causes).map((cause) => ({ labels: { validator: id, state, cause }, value: 1 })),
    ),
    resilience_left: harmless - suspendedCount,
    concentration_excess: concentrationsOf(voters)
      .filter((each) => each.validators.length > harmless)
      .map(({ place, name, validators: ids }) => ({ labels: { place, name }, value: ids.length })),
  };
}
