import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesToBase64url, encodeCbor } from '@cairn-ledger/core';
import {
  decodeInvitation,
  encodeInvitation,
  fingerprintOf,
  type Invitation,
  invitationLines,
  invitationTextMax,
  isNodeUrl,
} from './invitation.ts';

const bytes = (fill: number, size = 32): Uint8Array => new Uint8Array(size).fill(fill);

const invitation: Invitation = {
  ledgerHash: bytes(1),
  network: 'Cold chain',
  member: 'maple',
  memberName: 'Maple Ltd.',
  validator: 'maple-1',
  expiresSeconds: 1_900_000_000,
  secret: bytes(2),
  inviter: 'alder-1',
  urls: ['https://alder.example:7701', 'http://127.0.0.1:7701'],
  peers: [
    { id: 'alder-1', linkKey: bytes(3), addresses: ['alder.example:7700', '[::1]:7700'] },
    { id: 'birch-1', linkKey: bytes(4), addresses: ['10.0.0.2:7700'] },
  ],
};

function codeOf(text: string): unknown {
  const decoded = decodeInvitation(text);
  return decoded.ok ? 'ok' : decoded.error.code;
}

test('an invitation comes back as it was, folded, indented and with blanks around it', () => {
  for (const text of [
    encodeInvitation(invitation),
    invitationLines(invitation).join('\n'),
    `  ${invitationLines(invitation).join('\r\n    ')}\n\n`,
  ]) {
    const decoded = decodeInvitation(text);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, invitation);
  }
  assert.ok(invitationLines(invitation).every((line) => line.length <= 76));
  const known = decodeInvitation(encodeInvitation({ ...invitation, memberName: null, peers: [] }));
  assert.ok(known.ok && known.value.memberName === null);
});

test('what is cut, changed or longer is refused with one code', () => {
  const text = encodeInvitation(invitation);
  for (const wrong of [
    '',
    'hello',
    text.slice(1),
    text.slice(0, -1),
    text.slice(0, -4),
    `${text}AAAA`,
    `${text}!`,
    text.replace('cairn-invitation:', 'cairn-invitation:_'),
    `cairn-invitation:${'A'.repeat(invitationTextMax)}`,
  ]) {
    assert.equal(codeOf(wrong), 'invitation.malformed', wrong.slice(0, 40));
  }
});

test('every field has its limits', () => {
  const changes: Partial<Record<keyof Invitation, unknown>>[] = [
    { ledgerHash: bytes(1, 31) },
    { secret: bytes(1, 33) },
    { network: 'x'.repeat(101) },
    { member: 'Maple' },
    { member: '' },
    { validator: 'a/b' },
    { inviter: 'x'.repeat(33) },
    { memberName: 'x'.repeat(101) },
    { expiresSeconds: -1 },
    { urls: [] },
    { urls: Array(5).fill('http://a') },
    { urls: ['ftp://a'] },
    { urls: ['http://a/path'] },
    { urls: ['http://user:pass@a'] },
    { peers: [{ id: 'a', linkKey: bytes(1), addresses: [] }] },
    { peers: [{ id: 'a', linkKey: bytes(1), addresses: ['nowhere'] }] },
    { peers: [{ id: 'a', linkKey: bytes(1, 5), addresses: ['a:1'] }] },
    { peers: Array(257).fill({ id: 'a', linkKey: bytes(1), addresses: ['a:1'] }) },
  ];
  for (const change of changes) {
    const text = encodeInvitation({ ...invitation, ...change } as Invitation);
    assert.equal(codeOf(text), 'invitation.malformed', Object.keys(change)[0]);
  }
  const other = encodeCbor([2, bytes(1), 'n', 'm', null, 'v', 1, bytes(2), 'i', ['http://a'], []]);
  assert.match(
    (decodeInvitation(`cairn-invitation:${bytesToBase64url(other)}`) as { error: { message: string } }).error.message,
    /release/,
  );
});

test('the fingerprint is five groups of five digits, and every field counts', () => {
  assert.match(fingerprintOf(invitation), /^\d{5}( \d{5}){4}$/);
  const changes: Partial<Invitation>[] = [
    { ledgerHash: bytes(9) },
    { network: 'Cold chaim' },
    { member: 'maples' },
    { memberName: null },
    { validator: 'maple-2' },
    { expiresSeconds: 1_900_000_001 },
    { secret: bytes(9) },
    { inviter: 'alder-2' },
    { urls: ['https://mallory.example'] },
    { peers: [{ id: 'alder-1', linkKey: bytes(9), addresses: ['alder.example:7700'] }] },
  ];
  const all = new Set([{}, ...changes].map((change) => fingerprintOf({ ...invitation, ...change })));
  assert.equal(all.size, changes.length + 1);
});

test('a url is the bare address of a node', () => {
  for (const url of ['http://127.0.0.1:7701', 'https://alder.example', 'http://[::1]:7701'])
    assert.ok(isNodeUrl(url), url);
  for (const url of [
    '',
    'alder:1',
    'https://a/',
    'https://A',
    'http://a:80',
    'file:///etc',
    'http://a b',
    'http://a#x',
  ])
    assert.ok(!isNodeUrl(url), url);
});
