import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createKey } from '@cairn-ledger/sdk';
import type { NewInvitation } from '../http/membership-port.ts';
import { decodeInvitation, fingerprintOf } from './invitation.ts';
import { openInvitationBook } from './invitation-book.ts';
import { createInviting, type InvitingParts } from './inviting.ts';
import type { JoinRequest } from './join-request.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-inviting-'));
after(() => rmSync(dir, { recursive: true }));
let books = 0;

function create(change: Partial<InvitingParts> = {}) {
  const book = openInvitationBook(join(dir, `${books++}.json`));
  assert.ok(book.ok);
  const clock = { nowMs: 1_700_000_000_500 };
  const peers = Array.from({ length: 31 }, (_, index) => ({
    id: `node-${index}`,
    linkKey: new Uint8Array(32).fill(index),
    addresses: ['a:1', 'b:2', 'c:3'],
  }));
  const inviting = createInviting({
    book: book.value,
    ledgerHash: new Uint8Array(32).fill(1),
    ledgerName: 'Cold chain',
    genesis: new Uint8Array([1, 2, 3]),
    inviter: 'node-0',
    peers: () => peers,
    memberName: (id) => (id === 'alder' ? 'Alder' : null),
    memberOfValidator: (id) => (id === 'alder-1' ? 'alder' : null),
    nowMs: () => clock.nowMs,
    ...change,
  });
  return { inviting, clock };
}

const input: NewInvitation = {
  member: 'maple',
  name: 'Maple Ltd.',
  validator: 'maple-1',
  expiresSeconds: 3600,
  urls: ['https://alder.example:7701'],
};

const request: JoinRequest = {
  linkKey: createKey().publicKey,
  votingKey: createKey().publicKey,
  checkpointKey: createKey().publicKey,
  gatewayKey: createKey().publicKey,
  addresses: ['maple.example:7700'],
  personKey: { algorithm: 'ed25519', publicKey: createKey().publicKey },
  proposal: null,
};

function codeOf(result: { ok: boolean; error?: { code: string } }): string {
  return result.ok ? 'ok' : result.error!.code;
}

test('an invitation says all that a joiner needs, and its text stays short', () => {
  const { inviting } = create();
  const issued = inviting.invite(input);
  assert.ok(issued.ok);
  assert.ok(issued.value.text.length < 4_000, `${issued.value.text.length} characters`);
  const read = decodeInvitation(issued.value.text);
  assert.ok(read.ok);
  assert.equal(fingerprintOf(read.value), issued.value.fingerprint);
  assert.equal(read.value.memberName, 'Maple Ltd.');
  assert.equal(read.value.expiresSeconds, 1_700_003_600);
  assert.equal(issued.value.expiresMs, 1_700_003_600_000);
  assert.equal(read.value.peers[0]!.id, 'node-0');
  assert.equal(read.value.peers.length, 16);
  assert.deepEqual(read.value.peers[3]!.addresses, ['a:1', 'b:2']);
  const again = inviting.invite(input);
  assert.ok(again.ok && again.value.text !== issued.value.text, 'every invitation has a secret of its own');
});

test('a member that is on the ledger needs no name, a validator of another member is refused', () => {
  const { inviting } = create();
  const known = inviting.invite({ ...input, member: 'alder', validator: 'alder-1' });
  assert.ok(known.ok);
  const read = decodeInvitation(known.value.text);
  assert.ok(read.ok && read.value.memberName === null);
  assert.equal(codeOf(inviting.invite({ ...input, validator: 'alder-1' })), 'invitation.taken');
  const unnamed = inviting.invite({ ...input, name: null });
  assert.ok(unnamed.ok);
  const named = decodeInvitation(unnamed.value.text);
  assert.ok(named.ok && named.value.memberName === 'maple');
});

test('who has the secret hands in once, is told of the genesis, and then waits', () => {
  const { inviting, clock } = create();
  const issued = inviting.invite(input);
  assert.ok(issued.ok);
  const invitation = decodeInvitation(issued.value.text);
  assert.ok(invitation.ok);
  const { secret } = invitation.value;
  assert.deepEqual(
    inviting.invitations().map(({ state }) => state),
    ['open'],
  );
  assert.equal(codeOf(inviting.join(new Uint8Array(32), request)), 'invitation.unknown');
  assert.equal(codeOf(inviting.join(secret, { ...request, personKey: null })), 'invitation.no-person');
  const joined = inviting.join(secret, request);
  assert.ok(joined.ok);
  assert.deepEqual(joined.value.genesis, new Uint8Array([1, 2, 3]));
  assert.equal(joined.value.peers.length, 31);
  const [waiting] = inviting.invitations();
  assert.equal(waiting?.state, 'waiting');
  assert.deepEqual(waiting?.request, request);
  assert.equal(waiting?.id, issued.value.id);
  clock.nowMs += 40 * 86_400_000;
  assert.equal(codeOf(inviting.join(secret, request)), 'ok', 'the first answer may have been lost');
  assert.equal(codeOf(inviting.join(secret, { ...request, host: 'elsewhere' })), 'invitation.used');
  assert.deepEqual(inviting.cancel(issued.value.id), { ok: true, value: true });
  assert.equal(codeOf(inviting.join(secret, request)), 'invitation.unknown');
});

test('an invitation that was not used in time is told as expired', () => {
  const { inviting, clock } = create();
  const issued = inviting.invite(input);
  assert.ok(issued.ok);
  const invitation = decodeInvitation(issued.value.text);
  assert.ok(invitation.ok);
  clock.nowMs += 3_600_000;
  assert.equal(inviting.invitations()[0]?.state, 'expired');
  assert.equal(codeOf(inviting.join(invitation.value.secret, request)), 'invitation.expired');
});
