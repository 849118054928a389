/** All 25 are somewhere, and what waits is listed as such. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { found, scenarios } from './catalogue.ts';

const played = [...scenarios, ...found];

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const golden = fileURLToPath(new URL('golden/', import.meta.url));
const two = (number: number): string => String(number).padStart(2, '0');

test('the catalogue has the 25 scenarios in order, each with a test or the reason why it waits', () => {
  assert.deepEqual(
    scenarios.map(({ number }) => number),
    Array.from({ length: 25 }, (_, i) => i + 1),
  );
  for (const { number, what, places, waitsFor } of scenarios)
    assert.ok(places.length > 0 || waitsFor !== null, `${number}: ${what}`);
});

test('every place that the catalogue names has a test of that scenario', () => {
  for (const { number, places } of played) {
    for (const { file, titled } of places) {
      const path = `${root}${file}`;
      assert.ok(existsSync(path), `${number}: there is no ${file}`);
      const titles = [...readFileSync(path, 'utf8').matchAll(/\btest\((['"`])(.*?)\1,/g)].map((match) => match[2]!);
      const isThere = titles.some((title) =>
        titled === undefined ? title.startsWith(`${two(number)}: `) : title.includes(titled),
      );
      assert.ok(isThere, `${number}: no test of ${file} is titled ${titled ?? `${two(number)}: ...`}`);
    }
  }
});

test('every scenario that is played here has its transcript, and every transcript its scenario', () => {
  const expected = played.filter(({ places }) => places.some(({ file }) => file.startsWith('packages/sim/')));
  const files = readdirSync(golden).filter((name) => name.endsWith('.txt'));
  assert.deepEqual(
    [...new Set(files.map((name) => Number.parseInt(name, 10)))].sort((a, b) => a - b),
    expected.map(({ number }) => number),
  );
});

for (const { number, what, waitsFor } of scenarios)
  if (waitsFor !== null) test(`${two(number)}: ${what}`, { todo: waitsFor });
