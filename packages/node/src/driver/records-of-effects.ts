/** Which effects sign something, and the record each one needs in the journal before it is performed. */
import { type Effect, type JournalRecord, signBatch, unreachable } from '@cairn-ledger/core';

export type SigningEffect = Extract<Effect, { type: 'vote' | 'seal' | 'sign-checkpoint' }>;

export function isSigning(effect: Effect): effect is SigningEffect {
  return effect.type === 'vote' || effect.type === 'seal' || effect.type === 'sign-checkpoint';
}

/** The record that must be durable before an effect, and everything after it, is performed. */
export function recordOf(effect: Effect): JournalRecord | null {
  switch (effect.type) {
    case 'persist':
      return effect.record;
    case 'vote':
    case 'sign-checkpoint':
      return effect.isResend ? null : recordOfSigning(effect);
    case 'seal':
      return recordOfSigning(effect);
    case 'send':
    case 'serve':
    case 'deliver':
    case 'certified-checkpoint':
    case 'fence':
    case 'report':
      return null;
    default:
      return unreachable(effect);
  }
}

export function recordOfSigning(effect: SigningEffect): JournalRecord {
  switch (effect.type) {
    case 'vote':
      return { type: 'own-vote', vote: effect.vote };
    case 'seal':
      return { type: 'batch', batch: signBatch(effect.batch, new Uint8Array(64)) };
    case 'sign-checkpoint':
      return { type: 'own-checkpoint', statement: effect.outcome.statement };
    default:
      return unreachable(effect);
  }
}
