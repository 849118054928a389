/**
 * What it takes to harm a network of validators (protocol.md section 1), in words: by how many there are, how many of them
 * are out of order now, and how many fall together because one host or operator runs them.
 */
import { resilienceOf } from '@cairn-ledger/core';
import { concentrationsOf, type Placed } from '../concentration.ts';
import type { ValidatorState } from '../http/membership-port.ts';

export function resilienceText(validators: number): string {
  const { harmless, halt, fork, certifyFalse } = resilienceOf(validators);
  const fewer = validators < 4 ? ' (fewer than 4 validators are for development only)' : '';
  return (
    `withstands ${harmless} faulty ${harmless === 1 ? 'validator' : 'validators'} of ${validators}${fewer}; ${halt} can halt it, ` +
    `${fork} can fork it (and are named by proofs), ${certifyFalse} can certify a false result; no number can forge a device's signature`
  );
}

/** @param faulty how many are out of order or proven faulty right now: they count as faulty, and never shrink the quorum */
export function presentText(validators: number, faulty: number): string {
  const { harmless } = resilienceOf(validators);
  if (faulty === 0) return `right now all ${validators} are well`;
  const rest = harmless - faulty;
  const share = `right now ${faulty} of ${validators} ${faulty === 1 ? 'is' : 'are'} out of order or proven faulty`;
  if (rest < 0) return `${share}: ${-rest} more than it withstands`;
  if (rest === 0) return `${share}: one more could halt the network`;
  return `${share}: it withstands ${rest} more`;
}

/** How many fall together, in words: the most at one host, and of one operator. Null where nobody has more than one. */
export function concentrationText(validators: readonly Placed[]): string | null {
  const found = concentrationsOf(validators);
  const most = (place: 'host' | 'operator') => found.find((each) => each.place === place);
  const [host, operator] = [most('host'), most('operator')];
  const texts = [
    ...(host === undefined ? [] : [`${host.validators.length} at one host (${host.name})`]),
    ...(operator === undefined ? [] : [`${operator.validators.length} of one operator (${operator.name})`]),
  ];
  return texts.length === 0 ? null : `of ${validators.length} validators at most ${texts.join(', ')}`;
}

/** One line for each state but `active` that validators are in: who, and why. */
export function standingTexts(standings: readonly Standing[]): string[] {
  return (Object.keys(stateTexts) as (keyof typeof stateTexts)[]).flatMap((state) => {
    const names = standings.filter((each) => each.state === state).map(standingText);
    return names.length === 0 ? [] : [`${stateTexts[state]}: ${names.join(', ')}`];
  });
}

export type Standing = {
  readonly id: string;
  readonly state: ValidatorState;
  readonly causes: readonly string[];
  readonly sinceHeight?: number | null;
};

const stateTexts: Readonly<Record<Exclude<ValidatorState, 'active'>, string>> = {
  suspended: 'suspended, their views are skipped',
  leaving: 'leaving with this epoch',
  joining: 'joining with the next epoch',
  admitted: 'admitted, not ready yet',
  ready: 'ready, and waiting for their turn',
  removed: 'removed',
};

const causeTexts: Readonly<Record<string, string>> = {
  'proven-fault': 'proven faulty',
  attested: 'suspected by others',
  'own-notice': 'fenced itself',
  damage: 'damaged',
  fault: 'proven faulty',
  vote: 'by vote of the members',
};

function standingText({ id, causes, sinceHeight }: Standing): string {
  const why = causes.map((cause) => causeTexts[cause] ?? cause);
  if (typeof sinceHeight === 'number') why.push(`since height ${sinceHeight}`);
  return why.length === 0 ? id : `${id} (${why.join(', ')})`;
}

/**
 * One line for each host or operator whose failure alone is more than the network withstands; none where the validators are
 * not known.
 */
export function concentrationWarnings(validators: readonly Placed[]): string[] {
  if (validators.length === 0) return [];
  const { harmless, fork } = resilienceOf(validators.length);
  return concentrationsOf(validators)
    .filter((each) => each.validators.length > harmless)
    .map(({ place, name, validators: ids }) => {
      const could = ids.length >= fork ? 'could halt and fork the network' : 'could halt the network';
      return `${place} ${name} has ${ids.length} of ${validators.length} validators (${ids.join(', ')}): alone it ${could}`;
    });
}
