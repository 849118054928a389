/**
 * The joining side: makes the keys, hands their public parts in with the secret of the invitation, checks that the genesis
 * that comes back is the one of the invitation, and writes the folder of a node.
 *
 * Nothing is believed of the answer but what hashes to the ledger hash of the invitation; peers come from the invitation and
 * the answer alike, and prove themselves by their link keys, which a wrong list can only make fail.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  base64urlToBytes,
  bytesToBase64url,
  type CairnError,
  decodeGenesis,
  encodeAnchorFile,
  equalBytes,
  fail,
  fromHex,
  ok,
  propose,
  type Result,
  sha256,
  type TrustAnchor,
  toHex,
} from '@cairn-ledger/core';
import { createClient, createKey, createSigner, type KeyPair, signTransaction } from '@cairn-ledger/sdk';
import type { Static } from 'typebox';
import { Check } from 'typebox/value';
import { readAnchor } from '../../config/founding.ts';
import { writeNetworkFile } from '../../config/network-file.ts';
import {
  type BootstrapPeer,
  bootstrapPeersMax,
  type HostPort,
  nodeConfigIn,
  nodeConfigName,
  parseAddress,
  type SyncMode,
  writeNodeConfig,
} from '../../config/node-config.ts';
import { joinAnswerSchema } from '../../http/membership-schemas.ts';
import { reserveCounters } from '../../keys/counter-file.ts';
import { readKeyFile, writeKeyFile } from '../../keys/key-file.ts';
import { completeNodeKeys } from '../../keys/node-keys.ts';
import type { Invitation } from '../../membership/invitation.ts';
import {
  type JoinRequest,
  joinRequestToFields,
  type RequestedNode,
  requestedValidator,
} from '../../membership/join-request.ts';
import { networkPathIn } from '../network.ts';

export type JoinPlan = {
  readonly dir: string;
  readonly listen: HostPort;
  /** "host:port", where the others reach it. */
  readonly addresses: readonly string[];
  readonly http: HostPort;
  readonly sync: SyncMode;
  readonly host?: string;
  readonly operator?: string;
  /** Key file of a person of a new member; absent: `keys/person.key` is made. */
  readonly personPath?: string;
  /** File of a trust anchor, copied into the folder: only what leads through it is believed. */
  readonly anchorPath?: string;
};

export type Joined = {
  /** Of the invitation, and so of the request. */
  readonly id: string;
  readonly dir: string;
  readonly validator: string;
  readonly ledger: string;
  /** Key file of the new member's first person; null for a member that was on the ledger. */
  readonly personKey: string | null;
};

const TIMEOUT_MS = 30_000;

/**
 * Errors: `join.not-empty`, `config.bad-anchor`, `join.other-ledger`, `join.unwritable`, `keyfile.*`, `client.*`, and what the inviting node says
 * (`invitation.*`).
 */
export async function joinNetwork(invitation: Invitation, plan: JoinPlan): Promise<Result<Joined, CairnError>> {
  const dir = resolve(plan.dir);
  if (existsSync(join(dir, nodeConfigName))) {
    return fail({ code: 'join.not-empty', message: `${dir} is the folder of a node already: choose another --dir` });
  }
  // Before anything is handed in: the invitation can be used once.
  const anchor = plan.anchorPath === undefined ? ok(null) : readAnchor(plan.anchorPath, invitation.ledgerHash);
  if (!anchor.ok) return anchor;
  const { memberName } = invitation;
  const personPath = memberName === null ? null : (plan.personPath ?? join(dir, 'keys', 'person.key'));
  const request = await makeRequest(dir, invitation, plan, personPath);
  if (!request.ok) return request;

  const client = createClient({ nodes: invitation.urls, timeoutMs: TIMEOUT_MS });
  const asked = { secret: bytesToBase64url(invitation.secret), request: joinRequestToFields(request.value) };
  const answer = await client.post<unknown>('/v1/join', asked);
  if (!answer.ok) return answer;
  if (!Check(joinAnswerSchema, answer.value))
    return fail({ code: 'client.bad-answer', message: 'the inviting node answered in a form that no Cairn node uses' });
  const genesis = checkGenesis(invitation, answer.value);
  if (!genesis.ok) return genesis;

  try {
    writeFolder(dir, invitation, plan, genesis.value, {
      anchor: anchor.value,
      bootstrap: bootstrapPeers(invitation, answer.value),
    });
  } catch (error) {
    return fail({ code: 'join.unwritable', message: `${dir} cannot be written: ${(error as Error).message}` });
  }
  const { validator, ledgerHash } = invitation;
  return ok({ id: answer.value.id, dir, validator, ledger: toHex(ledgerHash), personKey: personPath });
}

async function makeRequest(
  dir: string,
  invitation: Invitation,
  plan: JoinPlan,
  personPath: string | null,
): Promise<Result<JoinRequest, CairnError>> {
  const keys = completeNodeKeys(join(dir, 'keys'));
  if (!keys.ok) return keys;
  const { link, voting, checkpoint, gateway } = keys.value;
  const node: RequestedNode = {
    linkKey: link.publicKey,
    votingKey: voting.publicKey,
    checkpointKey: checkpoint.publicKey,
    gatewayKey: gateway.publicKey,
    addresses: plan.addresses,
    ...(plan.host !== undefined && { host: plan.host }),
    ...(plan.operator !== undefined && { operator: plan.operator }),
  };
  if (personPath === null) return ok({ ...node, personKey: null, proposal: null });
  const person = personKeyAt(personPath, plan.personPath === undefined);
  if (!person.ok) return person;
  const proposal = await signProposal(invitation, node, { path: personPath, key: person.value });
  if (!proposal.ok) return proposal;
  const { algorithm, publicKey } = person.value;
  return ok({ ...node, personKey: { algorithm, publicKey }, proposal: proposal.value });
}

/** The new member's own proposal of its validator: handed in by the inviter once the member is on the ledger. */
async function signProposal(
  { ledgerHash, validator, member }: Invitation,
  node: RequestedNode,
  person: { readonly path: string; readonly key: KeyPair },
): Promise<Result<Uint8Array, CairnError>> {
  const counter = await reserveCounters(person.path, 1);
  if (!counter.ok) return counter;
  const change = { type: 'admit-validator', validator: requestedValidator(validator, member, node) } as const;
  const content = { ledgerHash, counter: counter.value, operations: [propose.toCbor({ change })] };
  return signTransaction(content, createSigner(person.key));
}

function personKeyAt(path: string, mayMake: boolean): Result<KeyPair, CairnError> {
  const key = readKeyFile(path);
  if (key.ok) return key;
  if (key.error.code !== 'keyfile.missing' || !mayMake) return key;
  const made = createKey('ed25519');
  const written = writeKeyFile(path, made);
  return written.ok ? ok(made) : written;
}

function checkGenesis(invitation: Invitation, answer: Static<typeof joinAnswerSchema>): Result<Uint8Array, CairnError> {
  const genesis = base64urlToBytes(answer.genesis);
  if (genesis === null || !equalBytes(sha256(genesis), invitation.ledgerHash)) {
    return fail({
      code: 'join.other-ledger',
      message: `the genesis that ${answer.inviter} gave is not the one of the invitation: it does not hash to ${toHex(invitation.ledgerHash)}`,
    });
  }
  const decoded = decodeGenesis(genesis);
  return decoded.ok ? ok(genesis) : decoded;
}

/** Those of the answer, which knows the present validators, and those of the invitation where the answer lacks them. */
function bootstrapPeers(invitation: Invitation, answer: Static<typeof joinAnswerSchema>): BootstrapPeer[] {
  const peers = new Map<string, BootstrapPeer>(invitation.peers.map((peer) => [peer.id, peer]));
  for (const { id, linkKey, addresses } of answer.peers) {
    const usable = addresses.filter((address) => parseAddress(address) !== null);
    if (usable.length > 0) peers.set(id, { id, linkKey: fromHex(linkKey)!, addresses: usable });
  }
  peers.delete(invitation.validator);
  return [...peers.values()].slice(0, bootstrapPeersMax);
}

/** `node.json` comes last: with it the folder is that of a node. */
function writeFolder(
  dir: string,
  invitation: Invitation,
  plan: JoinPlan,
  genesis: Uint8Array,
  { anchor, bootstrap }: { readonly anchor: TrustAnchor | null; readonly bootstrap: readonly BootstrapPeer[] },
): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const genesisPath = join(dir, 'genesis.cbor');
  writeFileSync(genesisPath, genesis);
  const anchorPath = join(dir, 'anchor.cbor');
  if (anchor !== null) writeFileSync(anchorPath, encodeAnchorFile(anchor));
  const { host, port } = plan.http;
  const own = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  writeNetworkFile(networkPathIn(dir), {
    name: invitation.network,
    ledger: bytesToBase64url(invitation.ledgerHash.subarray(0, 8)),
    genesisPath,
    nodes: [
      { id: invitation.validator, http: own },
      { id: invitation.inviter, http: invitation.urls[0]! },
    ],
  });
  writeNodeConfig(
    dir,
    nodeConfigIn(dir, {
      validatorId: invitation.validator,
      listen: plan.listen,
      http: plan.http,
      logLevel: 'info',
      sync: plan.sync,
      ...(anchor !== null && { anchorPath }),
      bootstrap,
    }),
  );
}
