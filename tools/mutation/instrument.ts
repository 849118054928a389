/**
 * The mutants of a folder: Stryker's instrumenter puts all of them into the sources at once, each behind a switch, so that
 * one loaded program is every mutant in turn.
 *
 * Left out are texts for people: literals that contain a space, and what the readers of shapes call a thing in their
 * messages. A test that holds their wording would hold nobody's promise. Codes, names and labels contain no space: they
 * are mutated.
 */
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Instrumenter } from '@stryker-mutator/instrumenter';

export type Mutant = {
  readonly id: string;
  /** Path of the source file from the root of the repository. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
  readonly mutator: string;
  readonly original: string;
  readonly replacement: string;
  readonly isIgnored: boolean;
};

export type Instrumented = {
  readonly mutants: readonly Mutant[];
  /** JavaScript with all mutants, by the URL of its source. */
  readonly sources: Readonly<Record<string, string>>;
  /** SHA-256 of each source file, by path. */
  readonly digests: Readonly<Record<string, string>>;
};

/** What a worker provides to the sources: see `installSwitch` in worker.ts. */
const header =
  'const stryMutAct_9fa48 = globalThis.mutantSwitch.isActive, stryCov_9fa48 = globalThis.mutantSwitch.cover;\n';

/** Their texts only name a thing in a message. */
const namers = new Set(['tupleOf', 'listOf', 'uintOf', 'bytesOf', 'textOf', 'requireShape', 'requireCount']);

type Node = {
  readonly type: string;
  readonly value?: unknown;
  readonly quasis?: readonly { readonly value: { readonly raw: string } }[];
  readonly callee?: { readonly name?: string };
};
type Path = { readonly node: Node; readonly parent: Node | null };

const textsForPeople = {
  shouldIgnore(found: object): string | undefined {
    const { node, parent } = found as Path;
    const isText = node.type === 'StringLiteral' || node.type === 'TemplateLiteral';
    if (!isText) return undefined;
    const text =
      node.type === 'StringLiteral' ? String(node.value) : node.quasis!.map(({ value }) => value.raw).join('');
    const isName = parent?.type === 'CallExpression' && namers.has(parent.callee?.name ?? '');
    return text.includes(' ') || isName ? 'a text for people' : undefined;
  },
};

const silence = () => undefined;
const isOff = () => false;
const logger = {
  ...{ trace: silence, debug: silence, info: silence, warn: silence, error: silence, fatal: silence },
  ...{ isTraceEnabled: isOff, isDebugEnabled: isOff, isInfoEnabled: isOff },
  ...{ isWarnEnabled: isOff, isErrorEnabled: isOff, isFatalEnabled: isOff },
};

/** Instruments every source of a folder, but not its tests. */
export async function instrumentFolder(root: string, folder: string): Promise<Instrumented> {
  const files = globSync(`${folder}/**/*.ts`, { cwd: root })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.endsWith('.test.ts') && !path.includes('/testing/'))
    .sort()
    .map((name) => ({ name, content: readFileSync(join(root, name), 'utf8'), mutate: true }));
  const contents = new Map(files.map(({ name, content }) => [name, content]));
  const { files: instrumented, mutants } = await new Instrumenter(logger).instrument(files, {
    plugins: null,
    excludedMutations: [],
    ignorers: [textsForPeople],
    noHeader: true,
  });
  return {
    mutants: mutants.map(({ id, fileName, location, mutatorName, replacement, status }) => ({
      id,
      file: fileName,
      line: location.start.line + 1,
      column: location.start.column + 1,
      mutator: mutatorName,
      original: textBetween(contents.get(fileName)!, location),
      replacement,
      isIgnored: status === 'Ignored',
    })),
    sources: Object.fromEntries(
      instrumented.map(({ name, content }) => [
        pathToFileURL(join(root, name)).href,
        stripTypeScriptTypes(header + content),
      ]),
    ),
    digests: Object.fromEntries(
      files.map(({ name, content }) => [name, createHash('sha256').update(content).digest('hex')]),
    ),
  };
}

type Position = { readonly line: number; readonly column: number };

function textBetween(content: string, { start, end }: { readonly start: Position; readonly end: Position }): string {
  const lines = content.split('\n').slice(start.line, end.line + 1);
  lines[lines.length - 1] = lines.at(-1)!.slice(0, end.column);
  lines[0] = lines[0]!.slice(start.column);
  return lines.join('\n');
}
