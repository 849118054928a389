import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toHex } from '@cairn-ledger/core';
import { createKey } from '@cairn-ledger/sdk';
import { secretHash } from './invitation.ts';
import { type InvitationBook, invitationsMax, openInvitationBook, openOrSetAside } from './invitation-book.ts';
import type { JoinRequest } from './join-request.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-book-'));
after(() => rmSync(dir, { recursive: true }));
let books = 0;

const day = 86_400_000;
const secretOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

function open(path = join(dir, `book-${books++}.json`)): { path: string; book: InvitationBook } {
  const opened = openInvitationBook(path);
  assert.ok(opened.ok, opened.ok ? '' : opened.error.message);
  return { path, book: opened.value };
}

function add(book: InvitationBook, secret: Uint8Array, createdMs = 0) {
  const added = book.add({
    secretHash: toHex(secretHash(secret)),
    member: 'maple',
    memberName: 'Maple',
    validator: 'maple-1',
    createdMs,
    expiresMs: createdMs + day,
  });
  assert.ok(added.ok, added.ok ? '' : added.error.message);
  return added.value;
}

function request(change: Partial<JoinRequest> = {}): JoinRequest {
  const [linkKey, votingKey, checkpointKey, gatewayKey] = [1, 2, 3, 4].map((fill) => new Uint8Array(32).fill(fill));
  return {
    linkKey: linkKey!,
    votingKey: votingKey!,
    checkpointKey: checkpointKey!,
    gatewayKey: gatewayKey!,
    addresses: ['maple.example:7700'],
    host: 'Rack 4, Hall B',
    personKey: createKeyOnce,
    proposal: new Uint8Array([1, 2, 3]),
    ...change,
  };
}
const { algorithm, publicKey } = createKey('p256');
const createKeyOnce = { algorithm, publicKey };

const codeOf = (result: { ok: boolean; error?: { code: string } }): string => (result.ok ? 'ok' : result.error!.code);

test('an invitation is used once; the same request again gets the same answer, also after a restart', () => {
  const { path, book } = open();
  const { id } = add(book, secretOf(7));
  assert.equal(codeOf(book.use(secretOf(7), request(), 5)), 'ok');
  for (const again of [book, open(path).book]) {
    const used = again.use(secretOf(7), request(), 2 * day);
    assert.ok(used.ok && used.value.id === id && used.value.joined?.atMs === 5);
    assert.deepEqual(used.value.joined.request, request());
    assert.equal(codeOf(again.use(secretOf(7), request({ proposal: new Uint8Array([4]) }), 6)), 'ok');
    const other = request({ addresses: ['mallory.example:7700'] });
    assert.equal(codeOf(again.use(secretOf(7), other, 6)), 'invitation.used');
  }
});

test('the file holds the hash of the secret, and never the secret', () => {
  const { path, book } = open();
  const secret = crypto.getRandomValues(new Uint8Array(32));
  add(book, secret);
  book.use(secret, request(), 1);
  const text = readFileSync(path, 'utf8');
  assert.ok(text.includes(toHex(secretHash(secret))));
  for (const form of ['hex', 'base64', 'base64url'] as const)
    assert.ok(!text.includes(Buffer.from(secret).toString(form)));
});

test('an unknown secret, and one that came too late, are told apart', () => {
  const { book } = open();
  add(book, secretOf(1));
  assert.equal(codeOf(book.use(secretOf(2), request(), 1)), 'invitation.unknown');
  assert.equal(codeOf(book.use(secretOf(1), request(), day)), 'invitation.expired');
  assert.equal(codeOf(book.use(secretOf(1), request(), day - 1)), 'ok');
  // What was handed in in time does not expire.
  assert.equal(codeOf(book.find(secretOf(1), 3 * day)), 'ok');
});

test('a cancelled invitation is gone, used or not', () => {
  const { path, book } = open();
  const { id } = add(book, secretOf(1));
  assert.deepEqual(book.cancel('ffffffff', 1), { ok: true, value: false });
  assert.deepEqual(book.cancel(id, 1), { ok: true, value: true });
  assert.equal(codeOf(open(path).book.find(secretOf(1), 1)), 'invitation.unknown');
});

test('there are not more than the most, and old ones make room', () => {
  const { path, book } = open();
  for (let i = 0; i < invitationsMax; i++) add(book, new Uint8Array(32).fill(i % 251).fill(i >> 4, 0, 1), i);
  const one = {
    secretHash: '00'.repeat(32),
    member: 'm',
    memberName: null,
    validator: 'v',
    createdMs: 1,
    expiresMs: 2,
  };
  assert.equal(codeOf(book.add(one)), 'invitation.too-many');
  assert.equal(open(path).book.list(1).length, invitationsMax);
  assert.equal(codeOf(book.add({ ...one, createdMs: 30 * day })), 'ok');
  assert.equal(book.list(30 * day).length, 0, 'it was made already expired long ago');
});

test('a book that was changed by hand is refused with the place', () => {
  const { path, book } = open();
  add(book, secretOf(1));
  const good = readFileSync(path, 'utf8');
  for (const [from, to] of [
    ['"maple"', '"Maple"'],
    ['"joined": null', '"joined": {}'],
    ['"joined": null', '"joined": {"atMs": 1, "request": {"linkKey": "00"}}'],
    ['"secretHash": "', '"secretHash": "0'],
    ['"createdMs": 0', '"createdMs": -1'],
    ['"createdMs": 0', '"created": 0'],
    ['{', ''],
  ] as const) {
    writeFileSync(path, good.replace(from, to));
    const opened = openInvitationBook(path);
    assert.equal(codeOf(opened), 'invitation.book-damaged', to);
    assert.match(!opened.ok ? opened.error.message : '', /book-/);
  }
});

test('a damaged book is set aside, and an empty one begun', () => {
  const { path } = open();
  writeFileSync(path, '{');
  const told: string[] = [];
  const opened = openOrSetAside(path, ({ code }) => told.push(code));
  assert.ok(opened.ok);
  assert.deepEqual([told, opened.value.list(0)], [['invitation.book-damaged'], []]);
  assert.equal(readFileSync(`${path}.damaged`, 'utf8'), '{');
  add(opened.value, secretOf(1));
});

test('a request to join that would make the book longer than its reader takes is refused', () => {
  const { path, book } = open();
  const long = request({ proposal: new Uint8Array(3_000) });
  add(book, secretOf(1));
  assert.equal(codeOf(book.use(secretOf(1), long, 1)), 'ok');
  const text = readFileSync(path, 'utf8');
  const { invitations } = JSON.parse(text) as { invitations: object[] };
  const count = Math.floor((1 << 20) / text.length);
  const full = Array.from({ length: count }, (_, i) => ({
    ...invitations[0],
    secretHash: toHex(secretHash(secretOf(i + 2))),
  }));
  writeFileSync(path, `${JSON.stringify({ invitations: full }, null, 2)}\n`);
  const { book: again } = open(path);
  const codes: string[] = [];
  for (const fill of [253, 254, 255]) add(again, secretOf(fill), 1);
  for (const fill of [253, 254, 255]) codes.push(codeOf(again.use(secretOf(fill), long, 2)));
  assert.equal(codes.at(-1), 'invitation.too-many');
  assert.ok(openInvitationBook(path).ok, 'what was written can be read');
});
