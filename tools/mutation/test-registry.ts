/**
 * Stands in for `node:test` inside a worker of the mutation run: tests are kept instead of being run at once, so that a
 * warm process can run any of them, as often as needed. Only what our tests use is here; a test that imports more does
 * not load, which stops the run.
 */

export type RegisteredTest = { readonly name: string; readonly run: () => void | Promise<void> };

type TestContext = { readonly diagnostic: (text: string) => void; readonly skip: (reason?: string) => void };
type TestBody = (context: TestContext) => void | Promise<void>;
type TestOptions = { readonly skip?: boolean | string };

const context: TestContext = { diagnostic: () => undefined, skip: () => undefined };
const tests: RegisteredTest[] = [];
const path: string[] = [];

/** Runs `load`, which imports a test file, and puts the name of the file before those of its tests. */
export async function registerFile(name: string, load: () => Promise<unknown>): Promise<void> {
  path.push(name);
  await load();
  path.pop();
}

/** All tests so far, in the order in which they were registered. */
export function registeredTests(): readonly RegisteredTest[] {
  return tests;
}

export function test(name: string, ...rest: [TestBody] | [TestOptions, TestBody]): void {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  if (options.skip !== undefined && options.skip !== false) return;
  tests.push({ name: [...path, name].join(' > '), run: () => body(context) });
}

export function describe(name: string, body: () => void): void {
  path.push(name);
  body();
  path.pop();
}
