import { strict as assert } from 'node:assert';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createToken, parseTokens, readTokens } from './tokens.ts';

test('a token made for a client is found, any other is not', () => {
  const a = createToken('a', ['read']);
  const b = createToken('b', ['submit', 'operate']);
  const tokens = parseTokens(JSON.stringify({ tokens: [a.entry, b.entry] }), 'file');
  assert.ok(tokens.ok);
  assert.deepEqual(tokens.value.find(b.token), { name: 'b', roles: ['submit', 'operate'] });
  assert.deepEqual(tokens.value.find(a.token), { name: 'a', roles: ['read'] });
  for (const wrong of ['', a.token.slice(1), `${a.token} `, 'x'.repeat(10_000)])
    assert.equal(tokens.value.find(wrong), null);
});

test('the file holds no token', () => {
  const { token, entry } = createToken('a', ['read']);
  assert.ok(!JSON.stringify(entry).includes(token.slice(6)));
});

test('a file that is not as described is refused, and the message says where', () => {
  const { entry } = createToken('a', ['read']);
  const good = entry as Record<string, unknown>;
  const cases: [unknown, RegExp][] = [
    ['{', /is not JSON/],
    [{ tokens: [] }, /no list "tokens", or an empty one/],
    [null, /no list/],
    [{ tokens: [1] }, /token 0: is not an object/],
    [{ tokens: [good, good] }, /token 1: the name "a" is taken/],
    [{ tokens: [{ ...good, name: 'a b' }] }, /needs a "name"/],
    [{ tokens: [{ ...good, roles: ['admin'] }] }, /needs "roles", one or more of read, submit, operate/],
    [{ tokens: [{ ...good, roles: [] }] }, /needs "roles"/],
    [{ tokens: [{ ...good, sha256: 'abc' }] }, /needs "sha256"/],
    [{ tokens: Array.from({ length: 257 }, () => good) }, /at most 256/],
  ];
  for (const [value, says] of cases) {
    const tokens = parseTokens(typeof value === 'string' ? value : JSON.stringify(value), 'the file');
    assert.ok(!tokens.ok);
    assert.equal(tokens.error.code, 'config.http-tokens-invalid');
    assert.match(tokens.error.message, says);
  }
});

test('a file that others may write, or that is not there, is refused', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'cairn-tokens-')), 'tokens.json');
  assert.match(messageOf(path), /cannot be read \(ENOENT\)/);
  writeFileSync(path, JSON.stringify({ tokens: [createToken('a', ['read']).entry] }));
  chmodSync(path, 0o600);
  assert.equal(messageOf(path), '');
  chmodSync(path, 0o666);
  assert.match(messageOf(path), /chmod go-w/);
});

function messageOf(path: string): string {
  const tokens = readTokens(path);
  return tokens.ok ? '' : tokens.error.message;
}
