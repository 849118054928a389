/**
 * Bearer tokens: who may call what. The file holds only SHA-256 hashes, so reading it gives nobody access:
 *
 *   {"tokens":[{"name":"fleet-gateway","roles":["submit"],"sha256":"<64 hex digits>"}]}
 *
 * `read` sees the common view, `submit` hands in transactions and follows them, `operate` is for the node's operator and
 * includes `read`. A token is 32 random bytes, so a plain hash is enough; hashes are compared in constant time.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import process from 'node:process';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';

export type Role = 'read' | 'submit' | 'operate';
export type Client = { readonly name: string; readonly roles: readonly Role[] };
export type Tokens = {
  readonly count: number;
  /** The client that a presented token belongs to; null for none. Takes the same time whichever matches. */
  find(presented: string): Client | null;
};

const TOKENS_MAX = 256;
const PRESENTED_LENGTH_MAX = 256;
const roles: readonly string[] = ['read', 'submit', 'operate'] satisfies Role[];

/** A new token for a client, and the line of the tokens file that admits it. The token itself is stored nowhere. */
export function createToken(name: string, granted: readonly Role[]): { token: string; entry: unknown } {
  const token = `cairn_${randomBytes(32).toString('base64url')}`;
  return { token, entry: { name, roles: granted, sha256: digestOf(token).toString('hex') } };
}

export function readTokens(path: string): Result<Tokens, CairnError> {
  let text: string;
  try {
    if (process.platform !== 'win32' && (statSync(path).mode & 0o022) !== 0) {
      return refuse(`${path} can be written by others than its owner; run: chmod go-w ${path}`);
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return refuse(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'})`);
  }
  return parseTokens(text, path);
}

export function parseTokens(text: string, path: string): Result<Tokens, CairnError> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse(`${path} is not JSON`);
  }
  const list = (value as { tokens?: unknown } | null)?.tokens;
  if (!Array.isArray(list) || list.length === 0) return refuse(`${path} has no list "tokens", or an empty one`);
  if (list.length > TOKENS_MAX) return refuse(`${path} has ${list.length} tokens; at most ${TOKENS_MAX} are allowed`);
  const clients: { client: Client; hash: Buffer }[] = [];
  const names = new Set<string>();
  for (const [index, item] of list.entries()) {
    const read = readEntry(item);
    if (typeof read === 'string') return refuse(`${path}, token ${index}: ${read}`);
    if (names.has(read.client.name)) return refuse(`${path}, token ${index}: the name "${read.client.name}" is taken`);
    names.add(read.client.name);
    clients.push(read);
  }
  return ok({ count: clients.length, find: (presented) => findClient(clients, presented) });
}

function findClient(clients: readonly { client: Client; hash: Buffer }[], presented: string): Client | null {
  if (presented.length > PRESENTED_LENGTH_MAX) return null;
  const hash = digestOf(presented);
  let found: Client | null = null;
  for (const candidate of clients) if (timingSafeEqual(candidate.hash, hash)) found = candidate.client;
  return found;
}

function readEntry(item: unknown): { client: Client; hash: Buffer } | string {
  if (typeof item !== 'object' || item === null) return 'is not an object';
  const { name, roles: granted, sha256 } = item as Record<string, unknown>;
  if (typeof name !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    return 'needs a "name" of 1 to 64 letters, digits, dots, dashes or underscores';
  }
  if (!Array.isArray(granted) || granted.length === 0 || !granted.every((role) => roles.includes(role))) {
    return `needs "roles", one or more of ${roles.join(', ')}`;
  }
  if (typeof sha256 !== 'string' || !/^[0-9a-fA-F]{64}$/.test(sha256)) {
    return 'needs "sha256", the SHA-256 of the token as 64 hex digits';
  }
  return { client: { name, roles: granted as Role[] }, hash: Buffer.from(sha256, 'hex') };
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token, 'utf8').digest();
}

function refuse(message: string): Result<never, CairnError> {
  return fail({ code: 'config.http-tokens-invalid', message });
}
