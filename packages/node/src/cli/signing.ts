/** Signing on the command line: key file, next counter, and the signer. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Signer } from '@cairn-ledger/core';
import { createNodeSigner } from '../crypto/signer.ts';
import { reserveCounters } from '../keys/counter-file.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { CommandFailed, orFail } from './exit-code.ts';
import { devFolder } from './network.ts';

export type KeyInUse = { readonly path: string; readonly signer: Signer };

/** Keys of a development network made for its user, found without being named. */
const devKeys = { device: 'alder.desk.key', person: 'alder.person.key' } as const;

/** The key at `path`, else `$CAIRN_KEY`, else the one a development network keeps for its user. */
export function keyInUse(path: string | undefined, kind: keyof typeof devKeys): KeyInUse {
  const dev = join(devFolder, 'keys', devKeys[kind]);
  const chosen = path ?? process.env.CAIRN_KEY ?? (existsSync(dev) ? dev : undefined);
  if (chosen === undefined) {
    throw new CommandFailed({
      code: 'usage.no-key',
      message: 'name the key to sign with: --key <file>. `cairn key new <file>` makes one.',
    });
  }
  return { path: chosen, signer: signerOf(chosen) };
}

/** A signer over a key file. */
export function signerOf(path: string): Signer {
  const key = orFail(readKeyFile(path));
  return createNodeSigner(key.algorithm, key.secretKey);
}

/** The counter for one transaction; it is used up, whatever becomes of the transaction. */
export async function takeCounter(key: KeyInUse): Promise<bigint> {
  return orFail(await reserveCounters(key.path, 1));
}
