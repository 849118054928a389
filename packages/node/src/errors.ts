/**
 * The node's catalogue of errors: what each code means, which HTTP status it has, and what to do about it. The ledger's
 * own codes (`tx.*`, `asset.*`, ...) are in core's; their statuses are here, since HTTP is the node's. What only commands,
 * clients and decoders say is in errors-of-clients.ts. docs/errors.md is written from all three
 * (`node tools/errors-page.ts --write`), and a test compares them.
 *
 * A code is stable: programs decide by it. Its message, made where the error happens, tells the particular case.
 */

import { errorCatalogue } from '@cairn-ledger/core';
import { clientErrors } from './errors-of-clients.ts';

export type ErrorEntry = {
  /** HTTP status where the error is an answer; null for one that only the log and the operator see. */
  readonly status: number | null;
  readonly title: string;
  readonly whatToDo: string;
};

const answer = (status: number, title: string, whatToDo: string): ErrorEntry => ({ status, title, whatToDo });
const inside = (title: string, whatToDo: string): ErrorEntry => ({ status: null, title, whatToDo });

const askOperator =
  'The link is closed, and the peer kept out for a growing time. If it is always the same peer, tell its operator.';
const triesAgain = 'Nothing: the link is tried again with growing pauses. If it lasts, check the network and the peer.';
const nothing = 'Nothing: this is part of normal work.';

export const nodeErrors = {
  'node.busy': answer(
    429,
    'The node has no room for more transactions',
    'Send the same transaction again after the time in Retry-After, or to another node.',
  ),
  'node.syncing': answer(
    503,
    'The node is still catching up',
    'Use another node, or wait until GET /readyz answers 200.',
  ),
  'node.fenced': answer(
    503,
    'The node has shut itself out and signs nothing any more',
    'Use another node. Its operator finds the reason in the log.',
  ),
  'node.damaged': answer(
    503,
    'What the node keeps on disk is not what was written',
    'Use another node. This one signs and serves nothing damaged, fetches it from its peers, and comes back by itself. If it happens again, replace the disk.',
  ),
  'node.observing': answer(
    503,
    'The node follows the chain and is no validator',
    'Use another node: GET /v1/validators names those that take transactions.',
  ),
  'node.starting': answer(503, 'The node is starting', 'Try again in a few seconds.'),
  'node.stopping': answer(503, 'The node is stopping', 'Use another node.'),
  'node.internal': answer(
    500,
    'The node failed at something it should not fail at',
    'Use another node, and tell the operator: the log has the failure under the request number in the message.',
  ),
  'node.unreachable': inside(
    'The node does not answer',
    'Check that it runs and that its address is right; `cairn doctor` looks at both.',
  ),
  'node.old-release': inside(
    'The ledger goes on under rules that this release does not know',
    'Upgrade this node, and start it again: it goes on where it was.',
  ),
  'node.behind': inside(
    'The node is behind, and no peer gives the blocks that come next',
    'Nothing: it takes over a certified state of now, where a peer has one. An archive node (`sync: full`) needs a peer that has all blocks.',
  ),
  'node.diverged': inside(
    'The result of this node differs from the certified one',
    'The node mends itself from its peers, and signs again when its results are theirs. Where three repairs find nothing to mend it stays up, fenced: suspect memory, disk and release, then start it again.',
  ),
  'node.rolled-back': inside(
    'The data folder is older than what this node has signed',
    'Put back the newest data folder. If it is lost, the node only follows in this epoch; docs/operations.md says more.',
  ),
  'node.not-liftable': answer(
    409,
    'The node is not fenced by its operator',
    'What fenced it is in `cairn status` and in the log; only a fence of the operator can be lifted by the operator.',
  ),
  'node.failed': inside(
    'A thread of the node ended',
    'The node stops. Start it again; if it happens again, the log has the reason.',
  ),
  'node.chain-failed': inside(
    'The part of the node that executes and stores the chain failed',
    'Nothing at first: the node looks over what it stores, mends it from peers and goes on. If it ends all the same, the log has the reason.',
  ),
  'node.cannot-listen': inside(
    'The node cannot listen for its peers',
    'Choose a free port and an address of this machine (`listen` in node.json); perhaps the node runs already.',
  ),

  'http.bad-request': answer(
    400,
    'The request is not understood',
    'Compare it with the description of the call in GET /openapi.json.',
  ),
  'http.bad-sequence': answer(
    400,
    'The body is not a sequence of transactions',
    'Send COSE_Sign1 messages one after another, nothing between or after them (RFC 8742). None was submitted.',
  ),
  'http.too-many-transactions': answer(
    413,
    'Too many transactions in one request',
    'Send at most 1,000 transactions and 1 MiB per request. None was submitted.',
  ),
  'http.body-too-large': answer(
    413,
    'The body is too large',
    'Send at most 65,535 bytes for one transaction, 1 MiB for a sequence of them.',
  ),
  'http.unsupported-media-type': answer(
    415,
    'The content type is not one that this call takes',
    'Send one transaction as application/cose, several as application/cbor-seq, and what GET /openapi.json describes as JSON as application/json.',
  ),
  'http.bad-cursor': answer(
    400,
    'The cursor is not one that this call gave out',
    'Take `next` of the page before unchanged, or leave the cursor out to begin at the start.',
  ),
  'http.too-dense': answer(
    422,
    'More transactions overlap at one time than a query opens',
    'Ask for a later time, or for a device with fewer readings at once.',
  ),
  'http.not-found': answer(
    404,
    'There is nothing here under that name',
    'Check the name or number. What was just submitted is known only to the node that took it until it is ordered.',
  ),
  'history.not-held': answer(
    404,
    'This node does not have so old a part of the chain',
    'Ask another node: this one was founded from a snapshot, and has the chain from the height on that the message names.',
  ),
  'http.not-certified': answer(409, 'There is no receipt yet', 'Ask again in a second, or ask with `Prefer: wait=10`.'),
  'http.no-receipt': answer(
    409,
    'There is no receipt for a rejected transaction',
    'Look at the code of its verdict: only accepted transactions stand in the history.',
  ),
  'http.unauthorized': answer(
    401,
    'A token is needed',
    'Send `Authorization: Bearer <token>` with a token that the operator of the node gave you.',
  ),
  'http.forbidden': answer(
    403,
    'The token, or the page that asks, does not allow this call',
    'Ask the operator of the node for a token with the role that the message names. A page of another site may change nothing.',
  ),
  'http.wrong-host': answer(
    421,
    'The request is addressed to another host',
    'Without tokens the node answers to localhost only: use http://127.0.0.1 and the port.',
  ),
  'http.too-many-requests': answer(
    429,
    'Too many requests',
    'Wait for the time in Retry-After. Pack several transactions into one application/cbor-seq request.',
  ),
  'http.too-many-subscribers': answer(
    429,
    'Too many event streams are open',
    'Close one of yours, or try again later or at another node.',
  ),
  'http.timeout': answer(
    408,
    'The request did not arrive in time',
    'Send it again; headers must arrive within 10 seconds, the whole request within 30.',
  ),
  'http.headers-too-large': answer(431, 'The request headers are too large', 'Send at most 16 KiB of headers.'),

  'invitation.unknown': answer(
    403,
    'The node has given out no such invitation',
    'Ask the node that gave it out, with all of its text. If it was cancelled or is long past, ask for a new one.',
  ),
  'invitation.expired': answer(403, 'The invitation has expired', 'Ask whoever gave it for a new one.'),
  'invitation.used': answer(
    409,
    'The invitation was used already',
    'If that was you, take the keys and the address of the first time. If not, tell whoever invited you at once: somebody else had your invitation.',
  ),
  'invitation.too-many': answer(
    409,
    'The node keeps no more invitations',
    'Cancel some that are done with: `cairn invite --list`, then `cairn invite --cancel <id>`.',
  ),
  'invitation.taken': answer(
    409,
    'The validator belongs to another member',
    'Choose another id for the validator; `cairn members` lists those that are taken.',
  ),
  'invitation.no-person': answer(
    422,
    'A new member needs a person key',
    'Hand in the public part of a person key with the request; `cairn join` makes one.',
  ),
  'invitation.unwritable': answer(
    500,
    'The node cannot write down its invitations',
    'Its operator looks at permissions and free space of the data folder. Nothing was changed.',
  ),
  'invitation.book-damaged': inside(
    'The file of invitations is damaged',
    'Correct it at the place that the message names, or move it away: invitations that were not used are then void.',
  ),

  'link.bad-address': inside(
    'The address of a peer is not host:port',
    'Correct the address in the configuration or on the ledger.',
  ),
  'link.unreachable': inside('Nobody answers at the address of the peer', triesAgain),
  'link.rate-limited': inside('Connections from one address come too fast', askOperator),
  'link.too-many-pending': inside(
    'Too many connections have not yet shown who they are',
    'Nothing, if it passes. If it lasts, somebody floods the port: let a firewall admit only the addresses of peers.',
  ),
  'link.not-tls': inside(
    'Somebody speaks something other than TLS to the port of the links',
    'Nothing, if it is a stranger. If it is a peer, its address names the wrong port.',
  ),
  'link.tls-version': inside(
    'The other side does not speak TLS 1.3',
    'Nothing, if it is a stranger. A proxy in between must pass TLS through untouched.',
  ),
  'link.tls-failed': inside('The TLS handshake failed', triesAgain),
  'link.no-certificate': inside(
    'The other side showed no certificate',
    'Nothing, if it is a stranger. A proxy in between must pass TLS through untouched.',
  ),
  'link.session-reused': inside('The other side resumed an old session, and so did not prove its key', askOperator),
  'link.unknown-key': inside(
    'Somebody connected with a key that is not on the ledger',
    'Nothing, if it is a stranger. If it is a member, compare its node key with the one on the ledger.',
  ),
  'link.wrong-key': inside(
    'At the address of a peer somebody else answers',
    'Check the address of the peer. If it is right, tell its operator: somebody stands in between, or its key was changed.',
  ),
  'link.handshake-timeout': inside('The other side did not finish the handshake in time', triesAgain),
  'link.handshake-ended': inside('The other side ended the handshake', triesAgain),
  'link.hello-timeout': inside('The peer did not introduce itself in time', askOperator),
  'link.hello-malformed': inside('The introduction of the peer is not understood', askOperator),
  'link.wrong-version': inside(
    'The peer speaks another version of the link',
    'Bring both nodes to releases that know a common version.',
  ),
  'link.wrong-ledger': inside(
    'The peer belongs to another ledger',
    'Compare the genesis files of both nodes; addresses of two networks may be mixed up.',
  ),
  'link.wrong-id': inside('The peer gives itself a name that does not belong to its key', askOperator),
  'link.wrong-channel': inside('The peer opened a channel that it may not open', askOperator),
  'link.frame-empty': inside('The peer sent an empty frame', askOperator),
  'link.frame-too-large': inside('The peer announced a frame over the limit of its channel', askOperator),
  'link.frame-slow': inside('The peer began a frame and did not end it in time', askOperator),
  'link.message-malformed': inside('The peer sent bytes that are not a message', askOperator),
  'link.idle': inside('Nothing came from the peer for too long', triesAgain),
  'link.stalled': inside('The peer does not take what it is sent', triesAgain),
  'link.reset': inside('The connection broke', triesAgain),
  'link.truncated': inside('The connection ended in the middle of a frame', triesAgain),
  'link.closed': inside('The connection was closed', triesAgain),
  'link.closed-by-peer': inside('The peer closed the link', triesAgain),
  'link.replaced': inside('A newer connection took the place of this one', nothing),
  'link.second-instance': inside(
    'Another instance with the key of this peer wants a link while the peer has one and answers',
    'If you run a node twice, stop one of them. If you do not, somebody has its keys: have the members vote for new ones.',
  ),
  'link.duplicate': inside('There is a connection to this peer already', nothing),
  'link.backed-off': inside('The peer is still being kept out', 'Nothing: it is let in again after the time.'),
  'link.disconnected': inside('This node ended the link for what the peer did', 'Look at the reason in the log.'),
  'link.removed': inside('The peer is no longer a peer', nothing),
  'link.stopped': inside('This node is stopping', nothing),

  'gateway.wrong-topic': inside(
    'An MQTT message came on a topic that names no device',
    'Publish to cairn/<ledger>/senml/<member>/<device>, or signed transactions to cairn/<ledger>/tx.',
  ),
  'gateway.not-attested': inside(
    'The gateway does not sign for this device',
    'Use the gateway of the member that the device belongs to, or sign on the device.',
  ),

  'journal.damaged': inside(
    'The safety record is damaged',
    'The node sets it aside and asks to be taken back with another life number. Keep what was set aside; the message names segment and offset.',
  ),
  'journal.failed': inside(
    'Writing the safety record failed',
    'The node stops. Check space and health of the disk, then start it again.',
  ),
  'journal.in-use': inside(
    'Another process uses the folder of this node',
    'Stop the other process, or give this node a folder of its own.',
  ),

  'storage.damaged': inside(
    'Stored data is not what was written',
    'The node serves nothing damaged, and mends itself from its peers. If it happens again, check the disk.',
  ),
  'storage.foreign': inside(
    'A database is of another format, another ledger or another program',
    'Check `dataDir` and `genesisPath`; a database of a newer release needs that release.',
  ),
  'storage.failed': inside(
    'Reading or writing a database failed',
    'The node stops. Check space, permissions and health of the disk, then start it again.',
  ),

  'past.collected': inside(
    'The node has fetched what was before the state it began with, and begins again with the whole chain',
    'Nothing: it is back within a moment.',
  ),
  'repair.no-peers': inside(
    'No peer proves who the present validators are, so nothing can be repaired',
    'Check the links of the node; it needs one peer that is in sync. Then the repair goes on.',
  ),
  'snapshot.unavailable': inside(
    'The state of the network could not be had from any peer',
    'The node goes on asking. If it lasts, check its links: a peer that is linked and in sync is enough.',
  ),
  'snapshot.differs': inside(
    'A snapshot is not the state that a quorum signed',
    'Nothing of it was kept: the node tries again with what other nodes have.',
  ),

  'config.missing': inside(
    'A file of the configuration is missing',
    'Give the folder of a node; `cairn init` and `cairn dev` make one.',
  ),
  'config.unreadable': inside('A file of the configuration cannot be read', 'Let the user that runs the node read it.'),
  'config.not-json': inside(
    'A file of the configuration is not JSON',
    'Correct it at the place that the message names.',
  ),
  'config.missing-field': inside('The configuration lacks a field', 'Add the field that the message names.'),
  'config.unknown-field': inside(
    'The configuration has a field that does not exist',
    'Correct its spelling, or leave it out.',
  ),
  'config.invalid-field': inside(
    'A field of the configuration has a value it cannot have',
    'Correct it as the message says.',
  ),
  'config.bad-anchor': inside(
    'The trust anchor of the node cannot be used',
    'Give the anchor file of this ledger, as `cairn verify --save-anchor` writes it, or take `anchorPath` out.',
  ),
  'config.no-genesis': inside(
    'The genesis document cannot be read',
    "Put the network's genesis.cbor where `genesisPath` says, and let the user that runs the node read it.",
  ),
  'config.not-a-validator': inside(
    'The genesis names no validator of that id',
    'Write one of the ids that the message lists as `validatorId` into node.json.',
  ),
  'config.wrong-keys': inside(
    'A key of the node is not the one that the genesis has',
    'Put back the keys that were made for this network, or correct `validatorId`.',
  ),
  'config.bad-genesis': inside(
    'The genesis file cannot be used',
    'Get the file from the founder of the network again, and compare its SHA-256 with the ledger hash.',
  ),
  'config.broker-url': inside(
    'The address of the MQTT broker is not one',
    'Write it like mqtt://host:1883 or mqtts://host:8883.',
  ),
  'config.http-needs-tls': inside(
    'HTTP on a public address needs TLS',
    'Set certificate and key for HTTP (`http.tls`), or bind to 127.0.0.1.',
  ),
  'config.http-needs-tokens': inside(
    'HTTP on a public address needs a tokens file',
    'Name a tokens file (`http.tokensPath`), or bind to 127.0.0.1.',
  ),
  'config.http-tls-invalid': inside(
    'Certificate and key for HTTP cannot be used',
    'Give readable PEM files that belong together; the key must not be readable by everybody.',
  ),
  'config.http-tokens-invalid': inside(
    'The tokens file cannot be used',
    'Write it as docs/operations.md shows, with SHA-256 hashes of the tokens, and let only its owner write it.',
  ),
  'config.http-address-unusable': inside(
    'HTTP cannot listen on that address',
    'Choose a free port and an address of this machine.',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type NodeErrorCode = keyof typeof nodeErrors;

/** HTTP statuses of the ledger's codes; those that are not here are 422: understood, and refused. */
const ledgerStatuses: Readonly<Record<string, number>> = {
  'tx.malformed': 400,
  'tx.too-large': 413,
  'tx.key-not-effective': 409,
  'tx.revoked-key': 403,
  'tx.replayed': 409,
  'tx.counter-too-old': 409,
  'tx.not-permitted': 403,
  'account.not-owned': 403,
  'asset.not-issuer': 403,
  'asset.insufficient': 409,
  'key.exists': 409,
  'key.foreign': 403,
  'quota.exceeded': 429,
};

/** All catalogues; where the ledger's and the node's have a code, the node's words stand. */
export const errorEntries: ReadonlyMap<string, ErrorEntry> = new Map([
  ...Object.entries(errorCatalogue).map(([code, { message }]) => [code, ledgerEntry(code, message)] as const),
  ...Object.entries(clientErrors).map(([code, [title, whatToDo]]) => [code, inside(title, whatToDo)] as const),
  ...Object.entries(nodeErrors),
]);

/** What the catalogues say about a code; null for one that is in none. */
export function describeError(code: string): ErrorEntry | null {
  return errorEntries.get(code) ?? null;
}

/** HTTP status of a code. */
export function statusOf(code: string): number {
  const entry = errorEntries.get(code);
  return entry === undefined ? 422 : (entry.status ?? 500);
}

/** The ledger's messages say in their first sentence what it means, after it what to do. */
function ledgerEntry(code: string, message: string): ErrorEntry {
  const end = message.indexOf('. ');
  const status = ledgerStatuses[code] ?? 422;
  if (end < 0) return { status, title: message, whatToDo: 'Correct it accordingly.' };
  return { status, title: message.slice(0, end + 1), whatToDo: message.slice(end + 2) };
}
