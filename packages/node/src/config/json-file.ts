/**
 * Strict reading of the JSON files people write by hand. A field that is unknown, missing or of the wrong kind is named,
 * with its file and its path, and nothing is guessed: a typing error must not become a default.
 *
 * The readers throw `ConfigProblem`, which only `readJsonFile` and `readJsonText` let out, as a typed error.
 */
import { readFileSync } from 'node:fs';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';

class ConfigProblem extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One value of the file, with the path that names it in messages. */
export type Field = { readonly value: unknown; readonly path: string };

export function readJsonFile<T>(path: string, read: (root: Field) => T): Result<T, CairnError> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return fail({
      code: missing ? 'config.missing' : 'config.unreadable',
      message: missing ? `${path} does not exist` : `${path} cannot be read: ${(error as Error).message}`,
    });
  }
  return readJsonText(path, text, read);
}

/** @param name what messages call the text, usually its path */
export function readJsonText<T>(name: string, text: string, read: (root: Field) => T): Result<T, CairnError> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail({ code: 'config.not-json', message: `${name} is not JSON: ${(error as Error).message}` });
  }
  try {
    return ok(read({ value, path: '' }));
  } catch (error) {
    if (error instanceof ConfigProblem) return fail({ code: error.code, message: `${name}: ${error.message}` });
    throw error;
  }
}

/** An object that has no fields but the ones named; their values, `undefined` where absent. */
export function fieldsOf<Name extends string>(field: Field, names: readonly Name[]): Record<Name, Field | undefined> {
  const { value, path } = field;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, 'must be an object');
  const known = new Set<string>(names);
  for (const name of Object.keys(value)) {
    if (!known.has(name)) {
      throw new ConfigProblem(
        'config.unknown-field',
        `${join(path, name)} is not a known field; known are ${names.join(', ')}`,
      );
    }
  }
  const fields: Partial<Record<Name, Field>> = {};
  for (const name of names) {
    const child = (value as Record<string, unknown>)[name];
    if (child !== undefined) fields[name] = { value: child, path: join(path, name) };
  }
  return fields as Record<Name, Field | undefined>;
}

/** The field, which must be present. */
export function required(field: Field | undefined, parent: Field, name: string): Field {
  if (field === undefined) throw new ConfigProblem('config.missing-field', `${join(parent.path, name)} is missing`);
  return field;
}

export function textOf(field: Field): string {
  if (typeof field.value !== 'string' || field.value === '') refuse(field, 'must be a text');
  return field.value;
}

export function choiceOf<Choice extends string>(field: Field, choices: readonly Choice[]): Choice {
  const choice = choices.find((known) => known === field.value);
  if (choice === undefined) refuse(field, `must be one of ${choices.join(', ')}`);
  return choice;
}

export function integerOf(field: Field, min: number, max: number): number {
  const { value } = field;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    refuse(field, `must be a whole number from ${min} to ${max}`);
  }
  return value;
}

export function listOf<T>(field: Field, read: (item: Field) => T): T[] {
  const { value, path } = field;
  if (!Array.isArray(value)) refuse(field, 'must be a list');
  return value.map((item, index) => read({ value: item, path: `${path}[${index}]` }));
}

/** An object whose field names are free, for example validator ids. */
export function recordOf<T>(field: Field, read: (item: Field, name: string) => T): Record<string, T> {
  const { value, path } = field;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, 'must be an object');
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, read({ value: item, path: join(path, name) }, name)]),
  );
}

/** Refuses a field for a rule of the caller's own. */
export function refuse(field: Field, rule: string): never {
  throw new ConfigProblem('config.invalid-field', `${field.path === '' ? 'the file' : field.path} ${rule}`);
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
