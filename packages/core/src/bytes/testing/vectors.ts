/** Public test vectors, which lie beside the repository where they are present (see docs/testing.md). For tests only. */
import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../../../../../../shared/vectors/', import.meta.url);

/** A file of the vectors; null where they are not present. */
export function readVector(path: string): Buffer | null {
  try {
    return readFileSync(new URL(path, root));
  } catch {
    return null;
  }
}

/** Names of the files in a folder of the vectors, sorted; null where they are not present. */
export function listVectors(folder: string): string[] | null {
  try {
    return readdirSync(new URL(folder, root)).sort();
  } catch {
    return null;
  }
}
