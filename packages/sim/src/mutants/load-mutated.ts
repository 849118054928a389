/**
 * Makes this process load mutated sources: a hook replaces the text of a mutant's files as they are loaded. Nothing on disk
 * changes, so several mutants can run at the same time.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { editsByFile, type Mutant, mutate } from './mutant.ts';

export const repository = new URL('../../../../', import.meta.url);

/**
 * Call it before anything of core or node is imported; what is loaded already stays as it is.
 *
 * @returns asserts that every file of the mutant has been loaded through the hook: call it when all is imported
 */
export function loadMutated(mutant: Mutant): () => void {
  const pending = new Map([...editsByFile(mutant)].map(([file, edits]) => [new URL(file, repository).href, edits]));
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const edits = pending.get(url);
      if (edits === undefined) return loaded;
      pending.delete(url);
      return { ...loaded, source: mutate(textOf(loaded.source), edits) };
    },
  });
  return () => {
    const missed = [...pending.keys()].map((url) => fileURLToPath(url));
    if (missed.length > 0) throw new Error(`${mutant.name}: never loaded, or loaded before: ${missed.join(', ')}`);
  };
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray | undefined): string {
  if (typeof source === 'string') return source;
  if (source === undefined) throw new Error('a source has text');
  return new TextDecoder().decode(source);
}
