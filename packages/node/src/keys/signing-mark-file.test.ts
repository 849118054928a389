import { strict as assert } from 'node:assert';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nothingSigned } from '../driver/signing-mark.ts';
import { openSigningMark } from './signing-mark-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-mark-'));
after(() => rmSync(dir, { recursive: true }));

function open(path: string) {
  const opened = openSigningMark(path);
  assert.ok(opened.ok);
  return opened.value;
}

test('a new mark says that nothing was signed, and is for its owner alone', () => {
  const path = join(dir, 'new.mark');
  const file = open(path);
  assert.deepEqual(file.value, nothingSigned);
  file.close();
  if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('the last mark written is the one that is read, also where it is shorter', () => {
  const path = join(dir, 'written.mark');
  const file = open(path);
  file.write({ epoch: 1, view: 123_456_789, seq: 123_456, checkpointHeight: 99_999 });
  file.write({ epoch: 2, view: 1, seq: 0, checkpointHeight: 100_000 });
  file.close();
  const again = open(path);
  assert.deepEqual(again.value, { epoch: 2, view: 1, seq: 0, checkpointHeight: 100_000 });
  again.close();
});

test('opening a mark does not change it: a crash right then loses nothing', () => {
  const path = join(dir, 'kept.mark');
  const file = open(path);
  file.write({ epoch: 1, view: 7, seq: 3, checkpointHeight: 5 });
  const before = readFileSync(path, 'utf8');
  open(path).close();
  assert.equal(readFileSync(path, 'utf8'), before);
  file.close();
});

test('a mark that cannot be read is refused, never taken for an empty one', () => {
  for (const text of ['{', '[]', '{"epoch":1}', '{"epoch":1,"view":-1,"seq":0,"checkpointHeight":0}']) {
    const path = join(dir, 'bad.mark');
    writeFileSync(path, text);
    const opened = openSigningMark(path);
    assert.equal(!opened.ok && opened.error.code, 'keyfile.malformed', text);
  }
});

test('a number that rots is noticed; a mark of an earlier release has no sum, and is read', () => {
  const path = join(dir, 'rotten.mark');
  const file = open(path);
  const mark = { epoch: 1, view: 7, vote: 1, seq: 3, checkpointHeight: 5 };
  file.write(mark);
  file.close();
  const line = readFileSync(path, 'utf8');
  for (const [what, rotten] of [
    ['"view":7', '"view":6'],
    ['"vote":1', '"vope":1'],
    ['"checkpointHeight":5', '"checkpointHeight":4'],
  ] as const) {
    writeFileSync(path, line.replace(what, rotten));
    const opened = openSigningMark(path);
    assert.equal(!opened.ok && opened.error.code, 'keyfile.malformed', rotten);
  }
  writeFileSync(path, JSON.stringify(mark));
  const earlier = open(path);
  assert.deepEqual(earlier.value, mark);
  earlier.close();
});

// Linux has a device on which every write fails as on a full disk.
test('a mark that cannot be written is an error with a code', { skip: !existsSync('/dev/full') }, () => {
  const file = open('/dev/full');
  assert.equal(file.write({ epoch: 1, view: 1, seq: 1, checkpointHeight: 1 })?.code, 'keyfile.unwritable');
  file.close();
});
