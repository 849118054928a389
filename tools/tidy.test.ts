/**
 * Holds the order of the house: who imports whom, what core may not do, names, sizes, and pages that are found. Each test
 * collects everything that is out of place and names it as `file:line`, so that one run shows all of it.
 *
 * An exception has a name and a reason here, or it is none. One that nothing needs any more fails too.
 */
import { strict as assert } from 'node:assert';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as blockModule from '../packages/core/src/model/block.ts';
import * as messageModule from '../packages/core/src/model/message.ts';
import * as constantsModule from '../packages/core/src/protocol/constants.ts';
import { defaultConstants } from '../packages/core/src/protocol/constants.ts';
import { importsOf, maskedCode, positionOf } from './source-text.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const scope = '@cairn-ledger/';

/** Which of our packages a package may import (docs/architecture.md, "Packages"). */
const packageImports: Readonly<Record<string, readonly string[]>> = {
  core: [],
  sdk: ['core'],
  gateway: ['core', 'sdk'],
  node: ['core', 'sdk', 'gateway'],
  // Only the driver of the node and its journal's layout, so that no SQLite comes along.
  sim: ['core', 'node/driver', 'node/journal-frame'],
  dashboard: ['sdk'],
};

/** Which folders of core a folder may import, besides itself and `result.ts`. */
const coreFolderImports: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  // The brands are names without code, and hashes and keys carry one.
  crypto: ['bytes', 'model/brands.ts'],
  model: ['bytes', 'crypto'],
  ledger: ['bytes', 'crypto', 'model'],
  // Not ledger: the engine and the ledger are two things.
  protocol: ['bytes', 'crypto', 'model'],
  proof: ['bytes', 'crypto', 'model'],
};

/** What core may not do, and what to do instead. */
const coreBans: readonly { readonly name: string; readonly pattern: RegExp; readonly instead: string }[] = [
  { name: 'Date', pattern: /\bDate\b/g, instead: 'time comes in as `now`' },
  { name: 'Math.random', pattern: /\bMath\.random\b/g, instead: 'randomness comes in as an input' },
  {
    name: 'timer',
    pattern: /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame|performance)\b/g,
    instead: 'say when in `deadline()`, the driver has the timer',
  },
  { name: 'async', pattern: /\b(?:async|await|Promise)\b/g, instead: 'core is synchronous' },
  {
    name: 'float',
    pattern: /\*\*|\bparseFloat\b|(?<![\w.])(?:\d[\d_]*\.\d|\.\d|\d[\d_]*(?:\.\d+)?[eE]-)/g,
    instead: 'compute in integers, bigint or bytes/decimal.ts',
  },
  {
    name: 'Math',
    pattern: /\bMath\.(?!random\b)(?!(?:max|min|abs|floor|ceil|trunc|sign|clz32|imul)\b)\w+/g,
    instead:
      'its result may differ between engines; only max, min, abs, floor, ceil, trunc, sign, clz32, imul are exact',
  },
  { name: 'JSON.stringify', pattern: /\bJSON\.stringify\b/g, instead: 'encode as strict CBOR' },
  {
    name: 'locale',
    pattern: /\blocaleCompare\b|\.toLocale\w+|\bIntl\b|\.normalize\(|\.to(?:Lower|Upper)Case\(/g,
    instead: 'it differs between engines and versions: compare bytes',
  },
  { name: 'bare sort', pattern: /\.(?:sort|toSorted)\(\s*\)/g, instead: 'give the order: sort((a, b) => ...)' },
  {
    name: 'platform',
    pattern:
      /\b(?:process|Buffer|globalThis|navigator|console|localStorage|document|XMLHttpRequest|WebSocket)\b(?=\s*[.([])/g,
    instead: 'core runs in browsers and does no input or output',
  },
];

type Exception = { readonly file: string; readonly ban: string; readonly because: string };

const coreExceptions: readonly Exception[] = [
  {
    file: 'protocol/agreement/timers.ts',
    ban: 'float',
    because: '2 ** k with an integer k from 0 to 6 is exact, and a time-out is a matter of one node',
  },
  { file: 'bytes/json-text.ts', ban: 'JSON.stringify', because: 'quotes a key in the message of an error' },
  { file: 'bytes/senml-json.ts', ban: 'JSON.stringify', because: 'quotes a label in the message of an error' },
];

/** Files of more than 500 lines that are one story all the same. */
const linesMax = 500;
/** A listed file that has become this short goes off the list. */
const shortAgain = 400;
const longFiles: Readonly<Record<string, string>> = {
  'packages/core/src/protocol/agreement/agreement.ts': 'the rules R1 to R8 are read together',
  'packages/core/src/protocol/agreement/agreement.test.ts': 'the tests of the rules R1 to R8, in their order',
};

const sources = filesOf('{packages/*/{src,bin},tools,bench,e2e}/**/*.{ts,tsx,js}').map((path) => {
  const text = readFileSync(join(root, path), 'utf8');
  const code = maskedCode(text);
  return { path, text, code, imports: importsOf(text, code) };
});
const packageSources = sources.filter(({ path }) => path.startsWith('packages/'));

test('a package imports only the packages below it, by name', () => {
  const wrong: string[] = [];
  for (const { path, text, imports } of packageSources) {
    const own = path.split('/')[1]!;
    const allowed = packageImports[own];
    assert.ok(allowed !== undefined, `packages/${own} is not in the table of tidy.test.ts: say whom it may import`);
    for (const { specifier, offset } of imports) {
      const at = `${path}:${positionOf(text, offset)}`;
      if (specifier.startsWith(scope)) {
        const name = specifier.slice(scope.length);
        if (!allowed.includes(name) && !(isTest(path) && [own, ...allowed].includes(name.replace(/\/testing$/, ''))))
          wrong.push(`${at}: ${own} may import ${listText(allowed)}, not ${specifier}`);
      } else if (specifier.startsWith('/')) {
        wrong.push(`${at}: ${specifier} is a path of one machine`);
      } else if (specifier.startsWith('.')) {
        const target = normalize(join(dirname(path), specifier));
        const isWithin = target.startsWith(`packages/${own}/`);
        if (!isWithin) wrong.push(`${at}: ${specifier} leaves packages/${own}; name the package: ${scope}...`);
      }
    }
  }
  assertNone(wrong);
});

test('a package imports only what its package.json names', () => {
  const wrong: string[] = [];
  const manifests = filesOf('packages/*/package.json');
  // Tests may compare with whatever is installed anyway.
  const shared = [
    ...dependenciesOf('package.json', 'devDependencies'),
    ...manifests.flatMap((manifest) => dependenciesOf(manifest, 'dependencies')),
  ];
  for (const manifest of manifests) {
    const name = manifest.split('/')[1]!;
    const declared = dependenciesOf(manifest, 'dependencies');
    for (const dependency of declared.filter((each) => each.startsWith(scope))) {
      const below = (packageImports[name] ?? []).map((each) => scope + each.split('/')[0]);
      if (!below.includes(dependency)) wrong.push(`${manifest}: ${name} may not depend on ${dependency}`);
    }
    for (const { path, text, imports } of packageSources.filter((file) => file.path.startsWith(`packages/${name}/`))) {
      for (const { specifier, offset } of imports) {
        if (/^(?:[./]|node:)/.test(specifier)) continue;
        const dependency = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
        const isKnown =
          declared.includes(dependency) ||
          (isTest(path) && (shared.includes(dependency) || dependency === scope + name));
        if (!isKnown)
          wrong.push(`${path}:${positionOf(text, offset)}: ${dependency} is not a dependency in ${manifest}`);
      }
    }
  }
  assertNone(wrong);
});

test('a folder of core imports only the folders it stands on', () => {
  const wrong: string[] = [];
  for (const { path, text, imports } of sourcesOfCore()) {
    const [folder, ...rest] = path.slice('packages/core/src/'.length).split('/');
    if (rest.length === 0) continue;
    const allowed = coreFolderImports[folder!];
    assert.ok(allowed !== undefined, `core/src/${folder} is not in the table of tidy.test.ts: say what it may import`);
    for (const { specifier, offset } of imports.filter((each) => each.specifier.startsWith('.'))) {
      const target = relative('packages/core/src', normalize(join(dirname(path), specifier)));
      const isAllowed =
        target === 'result.ts' ||
        [folder!, ...allowed].some((each) => target === each || target.startsWith(`${each}/`));
      if (!isAllowed)
        wrong.push(`${path}:${positionOf(text, offset)}: ${folder} may import ${listText(allowed)}, not ${target}`);
    }
  }
  assertNone(wrong);
});

test('the driver, which the simulator imports, brings no SQLite and no sockets along', () => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const banned = /^node:(?:sqlite|fs|net|tls|http|https|worker_threads)(?:\/|$)|^sodium-native$/;
  const wrong: string[] = [];
  const open = [{ path: 'packages/node/src/driver/driver.ts', by: 'package.json' }];
  const seen = new Set<string>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next.path)) continue;
    seen.add(next.path);
    for (const { specifier } of byPath.get(next.path)?.imports ?? []) {
      if (banned.test(specifier)) wrong.push(`${next.path} imports ${specifier} (and is imported by ${next.by})`);
      if (specifier.startsWith('.')) open.push({ path: normalize(join(dirname(next.path), specifier)), by: next.path });
    }
  }
  assert.ok(seen.size > 0);
  assertNone(wrong);
});

test('core reads no clock, draws no random number, waits for nothing and computes no floats', () => {
  const wrong: string[] = [];
  const used = new Set<Exception>();
  for (const { path, text, code, imports } of sourcesOfCore()) {
    for (const { specifier, offset } of imports) {
      if (specifier.startsWith('node:'))
        wrong.push(`${path}:${positionOf(text, offset)}: ${specifier}: core runs in browsers`);
    }
    for (const { name, pattern, instead } of coreBans) {
      for (const match of code.matchAll(pattern)) {
        const exception = coreExceptions.find((each) => path === `packages/core/src/${each.file}` && each.ban === name);
        if (exception !== undefined) used.add(exception);
        else wrong.push(`${path}:${positionOf(text, match.index)}: "${match[0].trim()}" (${name}): ${instead}`);
      }
    }
  }
  for (const each of coreExceptions)
    if (!used.has(each)) wrong.push(`exception for ${each.file} (${each.ban}): nothing needs it any more`);
  assertNone(wrong);
});

test('everything is exported by name', () => {
  const wrong: string[] = [];
  for (const { path, text, code } of sources) {
    for (const match of code.matchAll(/\bexport\s*\*|\bexport\s+default\b|\bas\s+default\b/g)) {
      wrong.push(`${path}:${positionOf(text, match.index)}: "${match[0]}": export by name`);
    }
  }
  assertNone(wrong);
});

test('file names are kebab-case', () => {
  const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|fuzz|d))*\.[a-z0-9]+$/;
  const known = new Set(['README.md', '.gitkeep']);
  const wrong = filesOf('{packages/*/{src,bin},tools,bench,e2e,docs,spec}/**/*.*').filter(
    (path) => !kebab.test(basename(path)) && !known.has(basename(path)),
  );
  assertNone(wrong.map((path) => `${path}: write it in small letters, digits and dashes`));
});

test(`no file has more than ${linesMax} lines, but for the listed ones`, () => {
  const wrong: string[] = [];
  for (const { path, text } of sources) {
    const lines = text.split('\n').length - 1;
    if (lines > linesMax && longFiles[path] === undefined)
      wrong.push(`${path} has ${lines} lines: look for two stories in it`);
    if (lines <= shortAgain && longFiles[path] !== undefined)
      wrong.push(`${path} has only ${lines} lines now: take it off the list`);
  }
  for (const path of Object.keys(longFiles))
    if (!existsSync(join(root, path))) wrong.push(`${path} is listed and not there`);
  assertNone(wrong);
});

test('the folders of protocol/ are the chapters of docs/protocol.md, in order', () => {
  const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
  const chapters = [...page.matchAll(/^## \d+\. .*\(`protocol\/([a-z-]+)\/`\)$/gm)].map(([, folder]) => folder!);
  const folders = readdirSync(join(root, 'packages/core/src/protocol'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'testing')
    .map((entry) => entry.name);
  assert.deepEqual(
    [...chapters].sort(),
    folders.sort(),
    'chapters are headings like "## 2. Batches (`protocol/batches/`)"',
  );
});

test('the rules R1 to R8 stand in docs/protocol.md and, in the same order, in agreement.ts', () => {
  const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
  const code = readFileSync(join(root, 'packages/core/src/protocol/agreement/agreement.ts'), 'utf8');
  const expected = ['R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7', 'R8'];
  assert.deepEqual(
    [...page.matchAll(/^\*\*(R\d)\b/gm)].map(([, rule]) => rule),
    expected,
  );
  assert.deepEqual(
    [...code.matchAll(/^ {2}\/\/ --- (R\d) -/gm)].map(([, rule]) => rule),
    expected,
  );
});

test('the constants in docs/protocol.md are those of the code', () => {
  const code: Readonly<Record<string, unknown>> = {
    ...defaultConstants,
    ...constantsModule,
    ...blockModule,
    ...messageModule,
  };
  const page = readFileSync(join(root, 'docs/protocol.md'), 'utf8');
  const wrong: string[] = [];
  const rows = [...page.matchAll(/^\| [^|]+ \| ([\d,]+)(?: (Delta|[a-z]+))? \| `(\w+)` \|$/gm)];
  assert.ok(rows.length > 12, 'the tables have rows like | Delta | 500 ms | `deltaMs` |');
  for (const [, digits, unit, name] of rows) {
    const value = code[name!];
    const found = typeof value === 'function' ? value({ ...defaultConstants, deltaMs: 1 }) : value;
    const isRight =
      found === Number(digits!.replaceAll(',', '')) && (typeof value === 'function') === (unit === 'Delta');
    if (!isRight) wrong.push(`${name} is ${found ?? 'not there'} in the code, ${digits} on the page`);
  }
  assertNone(wrong);
});

test('every page of docs is linked from docs/README.md', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const linked = new Set([...index.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => normalize(target!)));
  const pages = filesOf('docs/**/*.md').map((path) => path.slice('docs/'.length));
  assertNone(
    pages.filter((page) => page !== 'README.md' && !linked.has(page)).map((page) => `docs/${page} is not linked`),
  );
});

test('every link between pages leads to a page and a heading that exist', () => {
  const wrong: string[] = [];
  for (const page of filesOf('{README.md,docs/**/*.md,spec/**/*.md}')) {
    const text = readFileSync(join(root, page), 'utf8');
    for (const { 1: target, index } of text.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)) {
      const [file, anchor] = target!.split('#', 2);
      const path = file === '' ? page : normalize(join(dirname(page), file!));
      const at = `${page}:${positionOf(text, index)}: ${target}`;
      if (!existsSync(join(root, path))) wrong.push(`${at} leads nowhere`);
      else if (anchor !== undefined && !anchorsOf(path).includes(anchor))
        wrong.push(`${at}: ${path} has no such heading`);
    }
  }
  assertNone(wrong);
});

test('every path and name in the table of spec/README.md exists in the code', () => {
  const wrong: string[] = [];
  const rows = readFileSync(join(root, 'spec/README.md'), 'utf8').matchAll(/^\|[^|]+\| `([^`|]+)` \| ([^|]+)\|/gm);
  let rowsCount = 0;
  for (const { 1: file, 2: names } of rows) {
    rowsCount++;
    const path = `packages/core/src/${file}`;
    if (!existsSync(join(root, path))) {
      wrong.push(`${file} is not there`);
      continue;
    }
    const text = readFileSync(join(root, path), 'utf8');
    for (const { 1: name } of names!.matchAll(/`([^`]+)`/g))
      if (!text.includes(name!)) wrong.push(`${file} has no ${name}`);
  }
  assert.ok(rowsCount > 10, 'the table has rows like | name | `file.ts` | `name` |');
  assertNone(wrong);
});

function filesOf(pattern: string): string[] {
  return globSync(pattern, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules'))
    .sort();
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/');
}

/** What core is made of: its tests, and what is only for tests, may do more. */
function sourcesOfCore() {
  return packageSources.filter(({ path }) => path.startsWith('packages/core/src/') && !isTest(path));
}

function dependenciesOf(manifest: string, field: 'dependencies' | 'devDependencies'): string[] {
  const read = JSON.parse(readFileSync(join(root, manifest), 'utf8')) as Record<
    string,
    Record<string, string> | undefined
  >;
  return Object.keys(read[field] ?? {});
}

/** The anchors that headings of a page get. */
function anchorsOf(path: string): string[] {
  const headings = readFileSync(join(root, path), 'utf8').matchAll(/^#+ (.+)$/gm);
  return Array.from(headings, ([, text]) =>
    text!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function listText(names: readonly string[]): string {
  return names.length === 0 ? 'nothing of ours' : names.join(', ');
}

function assertNone(wrong: readonly string[]): void {
  assert.equal(wrong.length, 0, `${wrong.length} out of place:\n  ${wrong.join('\n  ')}`);
}
