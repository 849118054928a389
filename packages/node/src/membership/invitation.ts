/**
 * Invitations: what a member hands to somebody who is to run a validator, as one text that survives mail and chat.
 *
 *     text       = "cairn-invitation:" base64url(Invitation)                        ; line breaks and blanks inside count for nothing
 *     Invitation = [ 1, ledgerHash: bstr 32, network: tstr, member, memberName: tstr / null, validator,
 *                    expiresSeconds: uint, secret: bstr 32, inviter, [1*4 url: tstr], [* Peer] ]
 *     Peer       = [ validator, linkKey: bstr 32, [1*8 "host:port"] ]
 *
 * `memberName` is null where the member is on the ledger already. The secret lets its holder hand in one request to join,
 * and nothing else: whether the new validator is taken in is voted on by the members.
 *
 * An invitation is not signed. Who gets one compares its fingerprint with the inviter over another channel (a telephone
 * call): it covers every byte, the ledger hash first of all, which is what the joiner trusts from then on.
 */
import {
  base64urlToBytes,
  bytesOf,
  bytesToBase64url,
  type CairnError,
  type Cbor,
  decodeShape,
  encodeCbor,
  fail,
  isName,
  listOf,
  type Result,
  requireShape,
  sha256,
  textOf,
  tupleOf,
  uintOf,
} from '@cairn-ledger/core';
import { type BootstrapPeer, bootstrapPeersMax, parseAddress } from '../config/node-config.ts';

export type Invitation = {
  readonly ledgerHash: Uint8Array;
  /** Display name of the network. */
  readonly network: string;
  readonly member: string;
  /** Display name of a member that is not on the ledger yet; null for one that is. */
  readonly memberName: string | null;
  /** Id of the validator to be. */
  readonly validator: string;
  readonly expiresSeconds: number;
  /** 32 random bytes, good for one request to join. */
  readonly secret: Uint8Array;
  /** Validator id of the node that gave it out, and where its HTTP is reached. */
  readonly inviter: string;
  readonly urls: readonly string[];
  readonly peers: readonly BootstrapPeer[];
};

export const invitationTextMax = 96 << 10;
export const secretSizeBytes = 32;
export const urlsMax = 4;
const urlLengthMax = 255;
const addressesMax = 8;
const nameLengthMax = 100;
const version = 1;
const prefix = 'cairn-invitation:';
const lineLength = 76;
const fingerprintGroups = 5;

/** @returns one line; `invitationLines` folds it for people */
export function encodeInvitation(invitation: Invitation): string {
  return prefix + bytesToBase64url(invitationBytes(invitation));
}

/** The text in lines short enough for mail. */
export function invitationLines(invitation: Invitation): string[] {
  return encodeInvitation(invitation).match(new RegExp(`.{1,${lineLength}}`, 'g')) ?? [];
}

/** Reads the text of an invitation. Error: `invitation.malformed`. */
export function decodeInvitation(text: string): Result<Invitation, CairnError> {
  if (text.length > invitationTextMax) return malformed(`it is longer than ${invitationTextMax} characters`);
  const dense = text.replace(/\s+/g, '');
  if (!dense.startsWith(prefix)) return malformed(`it does not begin with "${prefix}"`);
  const bytes = base64urlToBytes(dense.slice(prefix.length));
  if (bytes === null) return malformed('a character was lost or changed');
  const read = decodeShape('invitation.malformed', bytes, readInvitationShape);
  return read.ok ? read : malformed(read.error.message);
}

/**
 * Five groups of five digits over all of the invitation (83 bits): short enough to be read out, and too long for anybody to
 * find a second invitation that has it.
 */
export function fingerprintOf(invitation: Invitation): string {
  const digest = sha256(encodeCbor(['cairn', 'invitation', invitationBytes(invitation)]));
  let rest = 0n;
  for (const byte of digest) rest = (rest << 8n) | BigInt(byte);
  const groups: string[] = [];
  for (let group = 0; group < fingerprintGroups; group++) {
    groups.push((rest % 100_000n).toString().padStart(5, '0'));
    rest /= 100_000n;
  }
  return groups.join(' ');
}

/** What the inviting node keeps of a secret. */
export function secretHash(secret: Uint8Array): Uint8Array {
  return sha256(encodeCbor(['cairn', 'invitation secret', secret]));
}

function invitationBytes(invitation: Invitation): Uint8Array {
  return encodeCbor([
    version,
    invitation.ledgerHash,
    invitation.network,
    invitation.member,
    invitation.memberName,
    invitation.validator,
    invitation.expiresSeconds,
    invitation.secret,
    invitation.inviter,
    [...invitation.urls],
    invitation.peers.map(({ id, linkKey, addresses }) => [id, linkKey, [...addresses]]),
  ]);
}

function readInvitationShape(value: Cbor): Invitation {
  const items = tupleOf(value, 11, 'an invitation');
  const [number, ledgerHash, network, member, memberName, validator, expires, secret, inviter, urls, peers] = items;
  requireShape(number === version, `its format is not ${version}: use a release that knows it`);
  const read: Invitation = {
    ledgerHash: bytesOf(ledgerHash!, 'ledger hash', 32),
    network: textOf(network!, 'name of the network', nameLengthMax),
    member: nameOf(member!, 'member'),
    memberName: memberName === null ? null : textOf(memberName!, 'name of the member', nameLengthMax),
    validator: nameOf(validator!, 'validator'),
    expiresSeconds: uintOf(expires!, 'expiry'),
    secret: bytesOf(secret!, 'secret', secretSizeBytes),
    inviter: nameOf(inviter!, 'inviter'),
    urls: listOf(urls!, urlsMax, 'urls', readUrl),
    peers: listOf(peers!, bootstrapPeersMax, 'peers', readPeer),
  };
  requireShape(read.urls.length > 0, 'an invitation names a url');
  return read;
}

function readUrl(value: Cbor): string {
  const text = textOf(value, 'url', urlLengthMax);
  requireShape(isNodeUrl(text), 'a url must be the http or https address of a node, without a path');
  return text;
}

/** True for `http(s)://host[:port]`, with nothing after it, nor a name and password in it. */
export function isNodeUrl(text: string): boolean {
  const url = /^https?:\/\/[\x21-\x7e]+$/.test(text) ? URL.parse(text) : null;
  return url !== null && url.origin === text && url.hostname !== '';
}

function readPeer(value: Cbor): BootstrapPeer {
  const [id, linkKey, addresses] = tupleOf(value, 3, 'a peer');
  const read = listOf(addresses!, addressesMax, 'addresses', (item) => {
    const text = textOf(item, 'address', 255);
    requireShape(parseAddress(text) !== null, 'an address must be host:port');
    return text;
  });
  requireShape(read.length > 0, 'a peer has an address');
  return { id: nameOf(id!, 'peer'), linkKey: bytesOf(linkKey!, 'link key', 32), addresses: read };
}

function nameOf(value: Cbor, what: string): string {
  const text = textOf(value, what, 32);
  requireShape(isName(text), `${what} must be 1 to 32 of a-z, 0-9 and -`);
  return text;
}

function malformed(why: string): Result<never, CairnError> {
  return fail({
    code: 'invitation.malformed',
    message: `this is not a whole invitation: ${why}. Copy all of what \`cairn invite\` printed, or take the file.`,
  });
}
