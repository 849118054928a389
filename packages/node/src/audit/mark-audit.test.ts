import { strict as assert } from 'node:assert';
import { readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { orThrow } from '../failure.ts';
import { openSigningMark } from '../keys/signing-mark-file.ts';
import { auditFolder } from './audit.ts';
import { makeNodeFolder } from './testing/node-folder.ts';

test('a result that was executed, and not yet signed when the node was killed, is none that was forgotten', async (t) => {
  const made = await makeNodeFolder({ blocks: 5 });
  t.after(() => made.remove());
  const journal = join(made.dir, 'data/journal/0000000000000001.journal');
  // A start raises the mark to what is executed; the record of the last own checkpoint comes later.
  truncateSync(journal, readFileSync(journal).lastIndexOf('CJF\x01', undefined, 'latin1'));
  assert.deepEqual(orThrow(await auditFolder(made.dir)).findings, []);
  const mark = orThrow(openSigningMark(made.markPath));
  assert.equal(mark.value.checkpointHeight, 5);
  mark.write({ ...mark.value, checkpointHeight: 6 });
  mark.close();
  const { findings } = orThrow(await auditFolder(made.dir));
  assert.deepEqual(
    findings.map((finding) => [finding.class, finding.code]),
    [['mark', 'audit.behind']],
    'what is above that is one',
  );
});
