/**
 * The catalogue of verdicts: every way in which the ledger refuses a transaction has one code here, and a message that
 * says what to do next. docs/errors.md is checked against this table by a test. (What a node refuses or suffers for
 * reasons of its own is in the node's catalogue.)
 *
 * `curable`: a transaction that is waiting to be ordered may remove the reason (money that is on its way, a device being
 * registered), or the set it is about may change until then. Such an error does not stop a transaction at admission; only execution decides.
 */
import { assert, type CairnError, type Failure, fail } from '../result.ts';

export type CatalogueEntry = { readonly message: string; readonly curable?: true };

export const errorCatalogue = {
  'tx.malformed': {
    message: 'The bytes are not a Cairn transaction. Send one COSE_Sign1 as in docs/wire-format.md, section 3.',
  },
  'tx.too-large': { message: 'A transaction has at most 65,535 bytes. Send fewer readings in each.' },
  'tx.bad-signature': {
    message:
      'The signature does not verify under the registered key. Check that the device signs with the key of this kid, over unchanged bytes.',
  },
  'tx.wrong-algorithm': {
    message:
      'The header names an algorithm that does not fit the registered key. Use -19 (or -8) with Ed25519, -9 (or -7) with P-256.',
  },
  'tx.unknown-key': {
    message:
      'No key with this kid is registered. Let a person of the member register it, then send the transaction again, unchanged.',
  },
  'tx.key-not-effective': {
    message:
      'The key is registered, but from a later height. Send the transaction again, unchanged, once that height is reached.',
  },
  'tx.revoked-key': { message: 'The key has been revoked. Sign with a key that is in force, under a new counter.' },
  'tx.wrong-ledger': {
    message: 'The transaction is meant for another ledger (aud). Sign it for the ledger hash of this network.',
  },
  'tx.expired': {
    message: 'The transaction expired (exp) before it was ordered. Sign it again with a later exp, or none.',
  },
  'tx.replayed': {
    message:
      'This counter of the key was used before. If this very transaction was accepted, all is well; otherwise sign with a counter that was never used.',
  },
  'tx.counter-too-old': {
    message: 'The counter is more than 4,096 below the highest one of the key. Sign again with a counter above it.',
  },
  'tx.counter-jump': {
    message: 'The counter is more than 2^32 above the highest one of the key. Sign again with a counter closer to it.',
  },
  'tx.not-permitted': {
    message: 'The role of the key does not permit this operation. Use a key of the role that is named.',
  },
  'tx.unknown-operation': {
    message: 'There is no operation with this code. See the table of operations in docs/wire-format.md, section 3.',
  },
  'tx.bad-operation': {
    message: 'An operation has the wrong arguments. See the table of operations in docs/wire-format.md, section 3.',
  },
  'reading.no-device': {
    message:
      'Readings need a device. Sign with the key of a device, or with the key of a gateway and the name of the device, "member/device", as claim sub.',
  },
  'reading.foreign-device': {
    message:
      'A gateway attests readings of devices of its own member only. Name a device of the member of the gateway in claim sub.',
  },
  'reading.foreign-name': {
    message:
      'A base name (bn) lies under another device of a member. Leave it out: names then lie under the device that signs, or is named in claim sub.',
  },
  'account.malformed': {
    message:
      'An account is "member" or "member/device", each part of 1 to 32 characters a-z, 0-9 or "-". Correct the name.',
  },
  'account.unknown': {
    message:
      'The account belongs to no registered member or device. Check its spelling; a device has an account once it is registered or attested.',
    curable: true,
  },
  'account.not-owned': {
    message:
      'The key may not spend from this account. A device spends from its own account; persons and nodes from all accounts of their member.',
  },
  'asset.unknown': { message: 'No asset has this id. Assets are defined in the genesis; see the list of assets.' },
  'asset.not-issuer': { message: 'Only the issuer of the asset may issue or retire it. Ask that member.' },
  'asset.insufficient': {
    message: 'The account does not hold enough of the asset. Top it up, then sign again with a new counter.',
    curable: true,
  },
  'asset.zero-amount': { message: 'An amount is at least 1 base unit. Send an amount above zero.' },
  'asset.overflow': {
    message: 'No more than 2^64 - 1 base units of an asset can ever be issued. Issue a smaller amount.',
    curable: true,
  },
  'key.exists': { message: 'This key was registered before, and a kid is never registered again. Make a new key.' },
  'key.invalid': {
    message:
      'The public key is not a valid point of its curve. Send 32 bytes (Ed25519) or 65 bytes (P-256, uncompressed) of a proper key.',
  },
  'key.unknown': { message: 'No key with the kid of the operation is registered. Check the kid.', curable: true },
  'key.revoked': { message: 'The key of the operation is revoked already. Nothing is left to do.' },
  'key.foreign': { message: 'The key of the operation belongs to another member. Only its own member may change it.' },
  'key.bad-owner': {
    message:
      'A device key names its device, a gateway key may name one, person and node keys name none. Correct role or device.',
  },
  'key.last-person': {
    message:
      'It is the last person key of the member, who could never register a key again. Register another person key first, or rotate this one.',
    curable: true,
  },
  'key.too-many-active': {
    message: 'A device has at most 16 keys in force, a member itself at most 64. Revoke one first.',
    curable: true,
  },
  'quota.exceeded': {
    message:
      'The member has used up its transactions or bytes of this minute of block time. Sign again in the next minute; pack more readings into each transaction.',
  },
  'quota.devices': {
    message: 'The member has as many devices as the network allows. Use the names of devices it has.',
  },
  'quota.keys': {
    message: 'The member has registered as many keys as the network allows. Ask the members for a higher limit.',
  },
  'proposal.unknown': { message: 'No proposal has this id. Check it in the list of proposals.', curable: true },
  'proposal.closed': {
    message: 'The proposal is decided or has lapsed; votes no longer count. Propose it again if need be.',
  },
  'proposal.one-each': { message: 'A transaction opens one proposal, whose id is its own. Send each in its own.' },
  'proposal.too-many-open': {
    message: 'At most 64 proposals are open, 8 of one member. Wait until some are decided: members can vote them down.',
    curable: true,
  },
  'proposal.fixed-parameter': {
    message: 'This parameter is built into the chain and stays as the genesis has it. Leave it at its present value.',
  },
  'proposal.not-next-rules': {
    message: 'Rules change by one number at a time. Propose the number after the present one.',
    curable: true,
  },
  'member.exists': { message: 'A member has this id already. Choose another one.' },
  'member.unknown': {
    message: 'No member has this id. Check its spelling; a new member is voted in first.',
    curable: true,
  },
  'member.too-many': { message: 'The network has as many members as it can; no more can be added.' },
  'validator.unknown': {
    message: 'No validator of the set, and none that is admitted, has this id. Check its spelling.',
    curable: true,
  },
  'validator.foreign': {
    message: 'A validator of this id is, or was, of another member. Choose another id, or name that member.',
    curable: true,
  },
  'validator.key-in-use': {
    message: 'Another validator has this key. Make new keys for the node.',
    curable: true,
  },
  'validator.faulty-key': {
    message: 'A validator was proven faulty with this key, which is never accepted again. Make new keys for the node.',
  },
  'validator.too-many': {
    message:
      'A set has at most 256 validators, and at most 64 admitted ones may wait to join. Remove a validator, or withdraw an admission, first.',
    curable: true,
  },
  'attest.not-validator': {
    message: 'Only validators of the present set attest. Sign with the link key of one, as a node does by itself.',
    curable: true,
  },
  'attest.wrong-subject': {
    message:
      'A validator says of others that they are suspect or clear, and of itself that it is present or fenced. Correct validator or verdict.',
  },
  'ready.not-admitted': {
    message:
      'The key belongs neither to an admitted validator of this id nor to one of the set. Let the members admit the validator with this link key, then send it again under a new counter.',
    curable: true,
  },
  'ready.wrong-height': {
    message: 'The height lies ahead of the chain, or more than 1,000 behind. Catch up, then say ready again.',
    curable: true,
  },
  'ready.wrong-set': {
    message:
      'The digest is not that of the present validator set. Follow the chain to its present epoch, then say ready again.',
    curable: true,
  },
  'ready.used-life': { message: 'The validator has this life number already. Draw a new one for a new safety record.' },
  'ready.too-soon': {
    message: 'A validator returns at most once in 1,000 heights. Say ready again from the height that is named.',
    curable: true,
  },
  'genesis.malformed': {
    message:
      'The bytes are not a genesis document of this version. Get the file from the founder of the network again.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/** An error of the catalogue; `detail` says what exactly was found, in one phrase. */
export function errorOf(code: ErrorCode, detail?: string): CairnError {
  const { message } = errorCatalogue[code];
  return { code, message: detail === undefined ? message : `${message} (${detail})` };
}

export function refuse(code: ErrorCode, detail?: string): Failure<CairnError> {
  return fail(errorOf(code, detail));
}

/** True when a transaction that is still waiting may remove the reason for this error. */
export function isCurable(error: CairnError): boolean {
  const entry: CatalogueEntry | undefined = errorCatalogue[error.code as ErrorCode];
  assert(entry !== undefined, 'the ledger refuses with codes of the catalogue only');
  return entry.curable === true;
}
