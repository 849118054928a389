/** No decoder of bytes or text from outside is left out of the table of what is fuzzed. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { importsOf, maskedCode } from '../source-text.ts';
import { targets } from './targets.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Names like these, of exported functions that take bytes or a text, are decoders. */
const decoder =
  /export (?:async )?function ((?:decode|parse|read)[A-Z]\w*|\w+To(?:Record|Key|PublicKey|Reading|Pack))(?:<[^>]*>)?\(([^{]*?)\)\s*[:{]/gs;
const takesInput = /\b(?:bytes|source|payload|body|json|text|line|url)\w*: (?:string \| )?(?:Uint8Array|string)\b/;

/** Decoders whose input does not come from outside. */
const excused: Readonly<Record<string, string>> = {
  'packages/core/src/bytes/shape.ts#decodeShape': 'what the decoders of messages are made of: fuzzed with each of them',
  'packages/node/src/cli/parse.ts#parsePositive':
    'an argument that the user of a command typed; commander shows the refusal',
  'packages/node/src/cli/parse.ts#parseDuration': 'as parsePositive',
  'packages/node/src/cli/parse.ts#parsePack': 'as parsePositive',
  'packages/node/src/cli/parse.ts#parsePort': 'as parsePositive',
  'packages/node/src/cli/parse.ts#parseRate': 'as parsePositive',
};

const found = globSync('packages/{core,node,gateway,sdk}/src/**/*.ts', { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !path.endsWith('.test.ts') && !path.endsWith('.d.ts') && !path.includes('/testing/'))
  .flatMap((path) =>
    [...maskedCode(readFileSync(join(root, path), 'utf8')).matchAll(decoder)]
      .filter(([, , parameters]) => takesInput.test(parameters!))
      .map(([, name]) => `${path}#${name}`),
  );
const covered = new Set(targets.flatMap(({ covers }) => covers));

test('every exported decoder of the packages is fuzzed, or excused by name', () => {
  assert.ok(found.length > 30, 'the scan finds the decoders');
  assert.deepEqual(
    found.filter((name) => !covered.has(name) && excused[name] === undefined),
    [],
  );
});

test('an excuse that nothing needs any more fails', () => {
  assert.deepEqual(
    Object.keys(excused).filter((name) => !found.includes(name) || covered.has(name)),
    [],
  );
});

test('what a target says it covers is there, and the target imports it', () => {
  const imported = new Set(
    globSync('tools/fuzz/*-targets.ts', { cwd: root }).flatMap((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return importsOf(text, maskedCode(text)).map(({ specifier }) => specifier.replace('../../', ''));
    }),
  );
  const wrong = [...covered].filter((name) => {
    const [path, functionName] = name.split('#');
    const isImported =
      imported.has(path!) || (path!.startsWith('packages/core/') && imported.has('packages/core/src/index.ts'));
    return !isImported || !readFileSync(join(root, path!), 'utf8').includes(functionName!);
  });
  assert.deepEqual(wrong, []);
});

test('targets have different names', () => {
  assert.equal(new Set(targets.map(({ name }) => name)).size, targets.length);
});
