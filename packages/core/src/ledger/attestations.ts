/**
 * What validators say of one another: suspect, or clear. Each has one word about each other, its last one, which counts for
 * 1,000 heights. f + 1 suspicions suspend, f + 1 words that all is well end it; so at least one honest validator agrees.
 * After either, everybody is asked anew.
 */
import type { Validator } from '../model/validator-set.ts';
import { paths } from './records.ts';
import { type Attestation, attestationsKind } from './set-records.ts';
import { faultsMaxOf, lift, type SetScene, suspend } from './suspensions.ts';

/** Heights for which an attestation counts. */
export const attestationHeights = 1_000;

export function noteAttestation(scene: SetScene, accused: Validator, attestation: Attestation): void {
  const { state, height, validators } = scene;
  const path = paths.attestations(accused.id);
  const others = (state.get(attestationsKind, path) ?? []).filter(
    (each) =>
      each.by !== attestation.by &&
      height - each.height <= attestationHeights &&
      validators.some(({ id }) => id === each.by),
  );
  const attestations = [...others, attestation];
  const agreeing = attestations.filter(({ verdict }) => verdict === attestation.verdict);
  const isDecided = agreeing.length > faultsMaxOf(scene) && decide(scene, accused, attestation.verdict);
  state.set(attestationsKind, path, isDecided ? null : attestations);
}

/** False when there was nothing to decide. */
function decide(scene: SetScene, accused: Validator, verdict: Attestation['verdict']): boolean {
  if (verdict === 'suspect') return suspend(scene, accused, 'attested');
  const [isTrusted, isWhole] = [lift(scene, accused.id, 'attested'), lift(scene, accused.id, 'damage')];
  return isTrusted || isWhole;
}
