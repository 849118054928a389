/** Public signature vectors, which lie beside the repository where they are present. For tests only. */
import { readFileSync } from 'node:fs';

export type VectorCase = {
  readonly name: string;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly isValid: boolean;
};

type WycheproofFile = {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk?: string; readonly uncompressed?: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly msg: string;
      readonly sig: string;
      readonly result: string;
    }[];
  }[];
};

/** Cases of a Wycheproof signature file; null where it is not present. */
export function readWycheproof(file: string): VectorCase[] | null {
  const content = readVectorFile<WycheproofFile>(`wycheproof/${file}`);
  if (content === null) return null;
  return content.testGroups.flatMap(({ publicKey, tests }) =>
    tests.map(({ tcId, comment, msg, sig, result }) => ({
      name: `${tcId}: ${comment}`,
      publicKey: bytesOf(publicKey.pk ?? publicKey.uncompressed!),
      message: bytesOf(msg),
      signature: bytesOf(sig),
      isValid: result === 'valid',
    })),
  );
}

type SpeccheckCase = { readonly message: string; readonly pub_key: string; readonly signature: string };

/** The twelve cases of ed25519-speccheck; under our rule only case 3 is valid. */
export function readSpeccheck(): VectorCase[] | null {
  const content = readVectorFile<readonly SpeccheckCase[]>('ed25519-speccheck/cases.json');
  if (content === null) return null;
  return content.map(({ message, pub_key, signature }, i) => ({
    name: `case ${i}`,
    publicKey: bytesOf(pub_key),
    message: bytesOf(message),
    signature: bytesOf(signature),
    isValid: i === 3,
  }));
}

function readVectorFile<T>(path: string): T | null {
  try {
    const url = new URL(`../../../../../../shared/vectors/${path}`, import.meta.url);
    return JSON.parse(readFileSync(url, 'utf8')) as T;
  } catch {
    return null;
  }
}

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
