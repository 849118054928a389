import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { importsOf, maskedCode, positionOf } from './source-text.ts';

test('comments, texts and regular expressions are not code', () => {
  const cases: readonly (readonly [source: string, code: string])[] = [
    ['a; // Date', 'a;        '],
    ['/* Date\nDate */ b', '       \n        b'],
    ["x = 'Da\\'te' + y", "x = '      ' + y"],
    ['x = `Date §{Date} Date` / 2', 'x = `     §{Date}     ` / 2'],
    ['x = `§{f({ a: `§{b}` })} Date`', 'x = `§{f({ a: `§{b}` })}     `'],
    ['return /Date[/"]/g.test(x)', 'return            .test(x)'],
    ['a / b / c // d', 'a / b / c     '],
    ['const ratio = (a + b) / Date', 'const ratio = (a + b) / Date'],
  ];
  for (const row of cases) {
    // A dollar sign here would be taken for a mistake.
    const [source, code] = row.map((text) => text.replaceAll('§', '$')) as [string, string];
    assert.equal(maskedCode(source), code);
    assert.equal(maskedCode(source).length, source.length);
  }
});

test('every way of importing is found, with its place', () => {
  const source = [
    "import { a } from './a.ts';",
    'import type { B } from "./b.ts";',
    "export { c } from './c.ts';",
    "import './d.ts';",
    "const e = await import('./e.ts');",
    "type F = import('./f.ts').F;",
    "// import './comment.ts'",
    `const text = "import './text.ts'";`,
  ].join('\n');
  const imports = importsOf(source, maskedCode(source));
  assert.deepEqual(
    imports.map(({ specifier, offset }) => `${positionOf(source, offset)} ${specifier}`),
    ['1 ./a.ts', '2 ./b.ts', '3 ./c.ts', '4 ./d.ts', '5 ./e.ts', '6 ./f.ts'],
  );
});
