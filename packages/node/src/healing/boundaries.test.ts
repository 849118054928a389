import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { type EpochProof, encodeCheckpointStatement, type Message, sha256 } from '@cairn-ledger/core';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { sodiumVerifier } from '../crypto/sodium-verifier.ts';
import { orThrow } from '../failure.ts';
import { type ChainDb, openChainDb } from '../storage/chain-db.ts';
import { epochProofsFrom } from '../storage/epoch-proofs.ts';
import { findingOf } from '../storage/storage-error.ts';
import { createBoundaryAsker } from './boundary-asker.ts';
import { keepBoundaries, openEpochOf } from './keep-boundaries.ts';

let folder: MadeFolder;
let chain: ChainDb;
let proofs: readonly EpochProof[];
const boundary = 6;

before(async () => {
  folder = await makeNodeFolder({ blocks: 12, removalAt: 2 });
  chain = orThrow(openChainDb(join(folder.dir, 'data', 'chain.db'), { ledgerHash: folder.ledgerHash }));
  proofs = epochProofsFrom(chain, 1, 16);
  assert.deepEqual(
    proofs.map(({ signatures }) => signatures[0]!.statement.height),
    [boundary],
  );
});
after(() => {
  chain.close();
  folder.remove();
});

function sql(statement: string, ...values: Uint8Array[]): void {
  const database = new DatabaseSync(join(folder.dir, 'data', 'chain.db'));
  assert.equal(database.prepare(statement).run(...values).changes, 1);
  database.close();
}

const forget = () => sql(`UPDATE checkpoints SET signatures = NULL WHERE height = ${boundary}`);
const keep = (given: readonly EpochProof[]) => keepBoundaries(chain, given, sodiumVerifier);

test('an epoch whose end is not proven is open until a quorum of it shows how it ended', () => {
  assert.equal(openEpochOf(chain), null);
  assert.deepEqual(keep(proofs), [], 'what is had already is passed over');
  forget();
  assert.equal(openEpochOf(chain), 1);
  const [{ signatures, validators }] = proofs as [EpochProof];
  const forged = { ...signatures[0]!, signature: signatures[0]!.signature.map((byte) => byte ^ 1) };
  assert.deepEqual(keep([{ signatures: signatures.slice(1), validators }]), [], 'no quorum');
  assert.deepEqual(keep([{ signatures: [forged, ...signatures.slice(1)], validators }]), [], 'nor one with a forgery');
  assert.deepEqual(keep([{ signatures: [], validators }]), []);
  assert.equal(openEpochOf(chain), 1);
  assert.deepEqual(keep([...proofs, ...proofs]), [boundary]);
  assert.equal(openEpochOf(chain), null);
  assert.deepEqual(epochProofsFrom(chain, 1, 16), proofs);
});

test('a boundary that a quorum signed with another result is damage, and nothing is kept', () => {
  forget();
  const { statement } = proofs[0]!.signatures[0]!;
  const other = encodeCheckpointStatement({ ...statement, stateRoot: sha256(Uint8Array.of(1)) });
  sql(`UPDATE checkpoints SET statement = ? WHERE height = ${boundary}`, other);
  assert.throws(
    () => keep(proofs),
    (cause) => findingOf(cause)?.class === 'checkpoint',
  );
  assert.equal(openEpochOf(chain), 1);
  sql(`UPDATE checkpoints SET statement = ? WHERE height = ${boundary}`, encodeCheckpointStatement(statement));
  assert.deepEqual(keep(proofs), [boundary]);
});

test('one peer after the other is asked, seconds apart, as long as something is open', () => {
  let open: number | null = null;
  const asked: [string, Message][] = [];
  const kept: (readonly EpochProof[])[] = [];
  const asker = createBoundaryAsker({
    openEpoch: () => open,
    peers: () => ['a', 'b'],
    send: (peer, request) => asked.push([peer, request]),
    keep: (given) => kept.push(given),
  });
  for (let ms = 0; ms < 20_000; ms += 100) asker.tick(ms);
  assert.deepEqual(asked, [], 'nothing is open');
  open = 3;
  for (let ms = 20_000; ms < 36_000; ms += 100) asker.tick(ms);
  const request = { type: 'request-epochs', from: 3 };
  assert.deepEqual(asked, [
    ['a', request],
    ['b', request],
    ['a', request],
  ]);
  asker.onEpochs('b', proofs);
  assert.deepEqual(kept, [], 'it was not asked last');
  asker.onEpochs('a', proofs);
  asker.onEpochs('a', proofs);
  assert.deepEqual(kept, [proofs], 'one answer to one question');
  open = null;
  for (let ms = 36_000; ms < 60_000; ms += 100) asker.tick(ms);
  assert.equal(asked.length, 3);
});
