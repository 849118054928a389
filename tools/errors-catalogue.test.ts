import { strict as assert } from 'node:assert';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeErrors } from '../packages/node/src/errors.ts';
import { catalogueRows, PAGE_PATH, renderErrorsPage } from './errors-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

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

test('every code that the node and the gateway use is in a catalogue', () => {
  const known = new Set(catalogueRows().map((row) => row.code));
  const families = new Set([...Object.keys(nodeErrors), 'tx.'].map((code) => code.split('.')[0]));
  const missing: string[] = [];
  for (const file of globSync('packages/{node,gateway}/src/**/*.ts', { cwd: root })) {
    if (/\.test\.ts$|\/testing\//.test(file)) continue;
    const source = readFileSync(`${root}/${file}`, 'utf8');
    // A code stands in `code: '...'`, alone on a line of a list of codes, or as the first argument of what makes an error.
    const used = source.matchAll(
      /(?:\bcode: |^\s+|\b(?!log|debug|info|warn|error)\w+\()'(([a-z]+)\.[a-z][a-z0-9-]*)'/gm,
    );
    for (const [, code, family] of used)
      if (families.has(family) && !known.has(code!)) missing.push(`${code} in ${file}`);
  }
  assert.deepEqual(missing, []);
});
