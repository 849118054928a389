import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { catalogueRows, PAGE_PATH, renderErrorsPage } from './errors-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Texts that look like a code and name a file. */
const fileName = /\.(?:json|cbor|cose|db|key|log|pid|receipt|sock|mark)$/;
/** Codes that nobody sees: an assertion stands before them. */
const unseen = new Set(['state.damaged']);
/** Codes of a node that has fenced itself: `node.` and the reason. */
const fences = new Set(['node.diverged', 'node.rolled-back']);

test('docs/errors.md has a row for every code of the catalogues, and no other', () => {
  const page = readFileSync(PAGE_PATH, 'utf8');
  const onPage = [...page.matchAll(/^\| `([a-z]+\.[a-z0-9-]+)` \|/gm)].map(([, code]) => code);
  const inCode = catalogueRows().map((row) => row.code);
  assert.deepEqual(onPage.sort(), inCode.sort());
  assert.equal(page, renderErrorsPage(), 'run: node tools/errors-page.ts --write');
});

test('every row says what it means and what to do', () => {
  for (const { code, title, whatToDo, status } of catalogueRows()) {
    assert.match(code, /^[a-z]+\.[a-z0-9]+(-[a-z0-9]+)*$/);
    assert.ok(title.length > 10, `${code} has a title`);
    assert.ok(whatToDo.length > 10 && whatToDo.endsWith('.'), `${code} says what to do`);
    assert.ok(status === null || (status >= 400 && status < 600), `${code} has an HTTP status`);
  }
});

test('every code that the sources use is in a catalogue, and is of use', () => {
  const known = new Set(catalogueRows().map((row) => row.code));
  const used = new Set<string>();
  const missing: string[] = [];
  for (const file of globSync('packages/{core,sdk,gateway,node}/src/**/*.ts', { cwd: root })) {
    if (/\.test\.ts$|\/testing\/|\/errors(-of-clients)?\.ts$/.test(file)) continue;
    const source = readFileSync(`${root}/${file}`, 'utf8');
    for (const { 1: code, index } of source.matchAll(/'([a-z]+\.[a-z][a-z0-9-]*)'/g)) {
      used.add(code!);
      const isEvent = /\b(?:log\.\w+\(|event === )$/.test(source.slice(0, index));
      if (!known.has(code!) && !unseen.has(code!) && !isEvent && !fileName.test(code!))
        missing.push(`${code} in ${file}`);
    }
  }
  assert.deepEqual(missing, []);
  assert.deepEqual(
    [...known].filter((code) => !used.has(code) && !fences.has(code)),
    [],
    'nothing makes these errors any more',
  );
});
