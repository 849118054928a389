/** The mutation run over a small folder made for it: each mutant gets the verdict that its function was written for. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { instrumentFolder } from './instrument.ts';
import { runFolder, type Verdict } from './run-folder.ts';

const source = `
export function larger(a: number, b: number): number {
  return a > b ? a : b;
}

export function unused(): number {
  return 1 + 2;
}

export function countTo(end: number): number {
  let at = 0;
  while (at < end) at++;
  return at;
}

const names = ['zero', 'one'];
export function nameOf(value: number): string {
  return names[value] ?? 'a text for people';
}

let kept: number | undefined;
export function answer(): number {
  if (kept === undefined) kept = 6 * 7;
  return kept;
}

let isOpen = false;
export function once(): boolean {
  const wasOpen = isOpen;
  isOpen = true;
  isOpen = false;
  void (3 + 4);
  return !wasOpen;
}
`;

const tests = `
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answer, countTo, larger, nameOf, once } from './source.ts';

describe('numbers', () => {
  test('larger', () => assert.equal(larger(2, 1), 2));
  test('count', () => assert.equal(countTo(3), 3));
  test('answer', () => assert.equal(answer(), 42));
});
test('name', () => assert.equal(nameOf(1), 'one'));
test('once', () => assert.ok(once()));
test('skipped', { skip: 'never' }, () => assert.fail());
`;

let root: string;
let verdicts: readonly Verdict[];

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'cairn-mutation-test-'));
  await mkdir(join(root, 'src'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'src/source.ts'), source);
  writeFileSync(join(root, 'src/source.test.ts'), tests);
  const instrumented = await instrumentFolder(root, 'src');
  verdicts = await runFolder({
    root,
    instrumented,
    testFiles: ['src/source.test.ts'],
    known: () => undefined,
    onProgress: () => undefined,
  });
});

after(() => rmSync(root, { recursive: true }));

/** What became of the mutants of a piece of code, as "replacement: status". */
function verdictsOf(original: string): string[] {
  const found = verdicts.filter(({ mutant }) => mutant.original === original);
  assert.ok(found.length > 0, `no mutant of ${original}`);
  return found.map(({ mutant, status }) => `${mutant.replacement}: ${status}`);
}

test('a mutant is killed by a test that fails with it, and survives where none does', () => {
  assert.deepEqual(verdictsOf('a > b'), ['true: survived', 'false: killed', 'a >= b: survived', 'a <= b: killed']);
  const killed = verdicts.find(({ mutant }) => mutant.replacement === 'a <= b')!;
  assert.equal(killed.by, 'src/source.test.ts > numbers > larger');
  assert.deepEqual([killed.mutant.file, killed.mutant.line, killed.mutant.column], ['src/source.ts', 3, 10]);
});

test('code that no test comes by has no coverage', () => {
  assert.deepEqual(verdictsOf('1 + 2'), ['1 - 2: no coverage']);
});

test('a loop without end is found', () => {
  assert.deepEqual(verdictsOf('at++'), ['at--: timeout']);
});

test('a mutant of what is made while loading, or kept from the first call, is found all the same', () => {
  assert.deepEqual(verdictsOf("'one'"), ['"": killed']);
  assert.deepEqual(verdictsOf("'zero'"), ['"": survived']);
  assert.deepEqual(verdictsOf('6 * 7'), ['6 / 7: killed']);
});

test('a mutant that spoils the process kills no other one by that', () => {
  // Whether it is open after the first call is not asked, so the mutant that leaves it open survives; the next call fails.
  assert.deepEqual(verdictsOf('false'), ['true: killed', 'true: survived']);
  assert.deepEqual(verdictsOf('3 + 4'), ['3 - 4: survived']);
});

test('texts for people are left out', () => {
  assert.deepEqual(verdictsOf("'a text for people'"), ['"": ignored']);
});
