import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStateTree, decodeGenesis, toHeight } from '@cairn-ledger/core';
import type { Finding } from '../audit/finding.ts';
import { type MadeFolder, makeNodeFolder } from '../audit/testing/node-folder.ts';
import { orThrow } from '../failure.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { createLedgerWatch } from './ledger-watch.ts';

let folder: MadeFolder;

before(async () => {
  folder = await makeNodeFolder({ blocks: 8, transactionsPerBlock: 3 });
});
after(() => folder.remove());

test('peers get a snapshot, and what is changed on disk is told once, between blocks', async () => {
  const dataDir = join(folder.dir, 'data');
  const chain = orThrow(openChainDb(join(dataDir, 'chain.db'), { ledgerHash: folder.ledgerHash }));
  const findings: Finding[] = [];
  const failures: unknown[] = [];
  const watch = createLedgerWatch({
    dataDir,
    genesis: orThrow(decodeGenesis(new Uint8Array(readFileSync(join(folder.dir, 'genesis.cbor'))))),
    ledgerHash: folder.ledgerHash,
    chain,
    stateTree: createStateTree(chain.entries),
    onDamage: (finding) => findings.push(finding),
    onFailed: (cause) => failures.push(cause),
  });
  const answer = watch.serve({ type: 'request-snapshot', from: toHeight(0) });
  assert.equal(answer?.type, 'snapshot');
  assert.equal(watch.serve({ type: 'request-chain', from: toHeight(1) }), null, 'no request of a sync');

  const other = new DatabaseSync(join(dataDir, 'chain.db'));
  other.exec("UPDATE blocks SET verdicts = x'80'");
  other.close();
  for (let i = 0; i < 80 && findings.length === 0; i++) {
    watch.onExecuted();
    await sleep(100);
  }
  assert.equal(findings.length, 1);
  assert.equal(findings[0]!.class, 'block');
  watch.tell(findings[0]!);
  assert.equal(findings.length, 1, 'told once');
  assert.deepEqual(failures, []);
  watch.close();
  chain.close();
});
