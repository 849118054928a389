/** The same hash, natively: a world spends much of its time hashing. */
import { hash } from 'node:crypto';
import { installSha256 } from '@cairn-ledger/core';

export function installNativeHash(): void {
  installSha256((bytes) => hash('sha256', bytes, 'buffer'));
}
