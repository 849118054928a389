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
import { noRestarts } from '../restart/restart-files.ts';
import { openChainDb } from '../storage/chain-db.ts';
import { openViewDb } from '../storage/view-db.ts';
import { createLedgerWatch } from './ledger-watch.ts';

let folder: MadeFolder;

before(async () => {
  folder = await makeNodeFolder({ blocks: 8, transactionsPerBlock: 3 });
});
after(() => folder.remove());

function sql(statement: string): void {
  const other = new DatabaseSync(join(folder.dir, 'data', 'chain.db'));
  other.exec(statement);
  other.close();
}

function openWatch() {
  const dataDir = join(folder.dir, 'data');
  const chain = orThrow(openChainDb(join(dataDir, 'chain.db'), { ledgerHash: folder.ledgerHash }));
  const view = orThrow(openViewDb(join(dataDir, 'view.db')));
  const findings: Finding[] = [];
  const failures: unknown[] = [];
  const watch = createLedgerWatch({
    dataDir,
    genesis: orThrow(decodeGenesis(new Uint8Array(readFileSync(join(folder.dir, 'genesis.cbor'))))),
    ledgerHash: folder.ledgerHash,
    restarts: noRestarts,
    chain,
    view,
    stateTree: createStateTree(chain.entries),
    onDamage: (finding) => findings.push(finding),
    onFailed: (cause) => failures.push(cause),
  });
  return {
    watch,
    findings,
    /** Blocks come all the time meanwhile. */
    async wait(ms: number): Promise<void> {
      for (let waited = 0; waited < ms && findings.length === 0; waited += 50) {
        watch.onExecuted();
        await sleep(50);
      }
      assert.deepEqual(failures, []);
    },
    close() {
      watch.close();
      view.close();
      chain.close();
    },
  };
}

test('a request of a sync is answered, and others are left to others', async () => {
  const { watch, findings, wait, close } = openWatch();
  assert.equal(watch.serve({ type: 'request-snapshot', from: toHeight(0) })?.type, 'snapshot');
  assert.equal(watch.serve({ type: 'request-chain', from: toHeight(1) }), null);
  await wait(1_500);
  assert.deepEqual(findings, [], 'nothing is wrong');
  close();
});

test('whoever else writes to a database of a running node is noticed at once, whatever it is', async () => {
  for (const [name, table] of [
    ['chain', 'news'],
    ['view', 'codes'],
  ] as const) {
    const { findings, wait, close } = openWatch();
    const other = new DatabaseSync(join(folder.dir, 'data', `${name}.db`));
    other.exec(`CREATE INDEX strange ON ${table} (1)`);
    await wait(1_000);
    other.exec('DROP INDEX strange');
    other.close();
    assert.deepEqual(
      findings.map(({ class: kind, where }) => [kind, where.file]),
      [[name === 'chain' ? 'database' : 'view', `${name}.db`]],
    );
    close();
  }
});

test('what was changed on disk is found between blocks, and told once', async () => {
  sql("UPDATE blocks SET verdicts = x'80'");
  const { watch, findings, wait, close } = openWatch();
  await wait(8_000);
  assert.deepEqual(
    findings.map((finding) => finding.class),
    ['block'],
  );
  watch.tell(findings[0]!);
  assert.equal(findings.length, 1);
  close();
});
