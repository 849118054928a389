import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import type { ValidatorStanding, ValidatorState } from '../http/membership-port.ts';
import { metricsText } from '../metrics.ts';
import { standingSamples } from './standing-metrics.ts';

const standing = (id: string, state: ValidatorState, more: Partial<ValidatorStanding> = {}): ValidatorStanding => ({
  id,
  member: id,
  state,
  causes: [],
  sinceHeight: null,
  linkKey: null,
  addresses: [],
  host: null,
  operator: null,
  ...more,
});

test('each validator stands once for each cause, or without one', async () => {
  const validators = [
    standing('a', 'active'),
    standing('b', 'suspended', { causes: ['proven-fault', 'own-notice'] }),
    standing('c', 'leaving'),
    standing('d', 'active'),
    standing('e', 'joining'),
    standing('f', 'removed', { causes: ['vote'] }),
  ];
  const text = await metricsText([standingSamples({ validators })]);
  assert.match(text, /cairn_validator_state\{validator="a",state="active",cause=""\} 1\n/);
  assert.match(text, /cairn_validator_state\{validator="b",state="suspended",cause="proven-fault"\} 1\n/);
  assert.match(text, /cairn_validator_state\{validator="b",state="suspended",cause="own-notice"\} 1\n/);
  assert.match(text, /cairn_validator_state\{validator="f",state="removed",cause="vote"\} 1\n/);
  assert.match(text, /cairn_resilience_left 0\n/, 'four vote, one of them is suspended');
});

test('who has more than are harmless is counted among those that vote', () => {
  const seven = Array.from({ length: 7 }, (_, i) => standing(`v${i}`, 'active', { host: i < 3 ? 'hall' : `h${i}` }));
  const excessOf = (validators: readonly ValidatorStanding[]) => standingSamples({ validators }).concentration_excess;
  assert.deepEqual(excessOf(seven), [{ labels: { place: 'host', name: 'hall' }, value: 3 }]);
  assert.deepEqual(excessOf(seven.map((each, i) => (i === 0 ? { ...each, host: 'h0' } : each))), []);
  const joining = [...seven.slice(1), standing('v9', 'joining', { host: 'hall' })];
  assert.deepEqual(excessOf(joining), [{ labels: { place: 'host', name: 'hall' }, value: 2 }], 'six withstand one');
});
