/**
 * A mutant: the production sources with one rule of the protocol removed or bent. The simulator must find it, or it would
 * not notice if that rule were missing.
 */
import type { ProfileName } from '../profiles/profile.ts';

/** One change of a source's text. */
export type Edit = {
  /** From the root of the repository. */
  readonly file: string;
  /** Text that occurs exactly once in it. */
  readonly find: string;
  readonly replace: string;
};

export type Mutant = {
  /** Kebab-case; says what the mutant does. */
  readonly name: string;
  /** The rule that is broken, and where protocol.md states it. */
  readonly rule: string;
  readonly edits: readonly Edit[];
  /** The kind of worlds that show it. */
  readonly profile: ProfileName;
  /** Numbers of validators, in turns from seed to seed. */
  readonly nodes: readonly number[];
};

/** A mutant's edits by the path of their file. */
export function editsByFile({ edits }: Mutant): ReadonlyMap<string, readonly Edit[]> {
  const byFile = new Map<string, Edit[]>();
  for (const edit of edits) byFile.set(edit.file, [...(byFile.get(edit.file) ?? []), edit]);
  return byFile;
}

/** The text with the edits made, in their order. Throws when one does not fit: then the source has moved on. */
export function mutate(text: string, edits: readonly Edit[]): string {
  let mutated = text;
  for (const { file, find, replace } of edits) {
    const first = mutated.indexOf(find);
    if (first < 0) throw new Error(`${file} does not contain what a mutant replaces: ${find}`);
    if (mutated.indexOf(find, first + 1) >= 0)
      throw new Error(`${file} contains more than once what a mutant replaces: ${find}`);
    mutated = mutated.slice(0, first) + replace + mutated.slice(first + find.length);
  }
  return mutated;
}
