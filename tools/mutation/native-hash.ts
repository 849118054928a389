/** Loaded before the tests of folders that hash much, in which the hash is not what is mutated: node's own is faster. */
import { hash } from 'node:crypto';
import { installSha256 } from '@cairn-ledger/core';

// A Buffer is no plain Uint8Array to tests that compare deeply.
installSha256((bytes) => new Uint8Array(hash('sha256', bytes, 'buffer')));
