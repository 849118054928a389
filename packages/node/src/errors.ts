/**
 * The node's catalogue of errors: what each code means, which HTTP status it has, and what to do about it. The ledger's
 * own codes (`tx.*`, `asset.*`, ...) are in core. docs/errors.md is written from both catalogues
 * (`node tools/errors-page.ts --write`), and a test compares them.
 *
 * A code is stable: programs decide by it. Its message, made where the error happens, tells the particular case.
 */

export type ErrorEntry = {
  /** HTTP status of the answer. For errors that never become an answer it is 500. */
  readonly status: number;
  readonly title: string;
  readonly whatToDo: string;
};

const stopsTheNode = 500;

export const nodeErrors = {
  'node.busy': {
    status: 429,
    title: 'The node has no room for more transactions',
    whatToDo: 'Send the same transaction again after the time in Retry-After, or to another node.',
  },
  'node.syncing': {
    status: 503,
    title: 'The node is still catching up',
    whatToDo: 'Use another node, or wait until GET /readyz answers 200.',
  },
  'node.fenced': {
    status: 503,
    title: 'The node has shut itself out after finding damage',
    whatToDo: 'Use another node. Its operator finds the reason in `cairn status` and the log; it repairs itself.',
  },
  'node.starting': {
    status: 503,
    title: 'The node is starting',
    whatToDo: 'Try again in a few seconds.',
  },
  'node.stopping': {
    status: 503,
    title: 'The node is stopping',
    whatToDo: 'Use another node.',
  },
  'node.internal': {
    status: 500,
    title: 'The node failed at something it should not fail at',
    whatToDo: 'Try another node, and tell the operator: the log names the failure under this request id.',
  },
  'node.diverged': {
    status: stopsTheNode,
    title: 'The result of this node differs from the certified one',
    whatToDo: 'The node fences itself and repairs. If it happens again, run `cairn doctor` and suspect the hardware.',
  },

  'http.bad-request': {
    status: 400,
    title: 'The request is not understood',
    whatToDo: 'Compare it with the description of the call in GET /openapi.json.',
  },
  'http.bad-sequence': {
    status: 400,
    title: 'The body is not a sequence of transactions',
    whatToDo:
      'Send COSE_Sign1 messages one after another, nothing between or after them (RFC 8742). None was submitted.',
  },
  'http.too-many-transactions': {
    status: 413,
    title: 'Too many transactions in one request',
    whatToDo: 'Send at most 1,000 transactions and 1 MiB per request. None was submitted.',
  },
  'http.body-too-large': {
    status: 413,
    title: 'The body is too large',
    whatToDo: 'Send at most 65,535 bytes for one transaction, 1 MiB for a sequence of them.',
  },
  'http.unsupported-media-type': {
    status: 415,
    title: 'The content type is not one that this call takes',
    whatToDo: 'Send one transaction as application/cose, or several as application/cbor-seq.',
  },
  'http.bad-cursor': {
    status: 400,
    title: 'The cursor is not one that this call gave out',
    whatToDo: 'Take the cursor unchanged from `next` of the page before, or leave it out to begin at the start.',
  },
  'http.not-found': {
    status: 404,
    title: 'There is nothing here under that name',
    whatToDo:
      'Check the name or number. What was just submitted is known only to the node that took it until it is ordered.',
  },
  'http.not-certified': {
    status: 409,
    title: 'There is no receipt yet',
    whatToDo: 'Ask again in a second, or ask with `Prefer: wait=10`.',
  },
  'http.no-receipt': {
    status: 409,
    title: 'There is no receipt for a rejected transaction',
    whatToDo: 'Look at the code of its verdict: only accepted transactions stand in the history.',
  },
  'http.unauthorized': {
    status: 401,
    title: 'A token is needed',
    whatToDo: 'Send `Authorization: Bearer <token>` with a token that the operator of the node gave you.',
  },
  'http.forbidden': {
    status: 403,
    title: 'The token does not allow this call',
    whatToDo: 'Ask the operator of the node for a token with the role that the message names.',
  },
  'http.wrong-host': {
    status: 421,
    title: 'The request is addressed to another host',
    whatToDo:
      'Without tokens the node answers only to localhost. Use http://127.0.0.1, or list the name in `allowedHosts`.',
  },
  'http.too-many-requests': {
    status: 429,
    title: 'Too many requests',
    whatToDo: 'Wait for the time in Retry-After. Pack several transactions into one application/cbor-seq request.',
  },
  'http.too-many-subscribers': {
    status: 429,
    title: 'Too many event streams are open',
    whatToDo: 'Close one of yours, or try again later or at another node.',
  },
  'http.timeout': {
    status: 408,
    title: 'The request did not arrive in time',
    whatToDo: 'Send it again; headers must arrive within 10 seconds, the whole request within 30.',
  },
  'http.headers-too-large': {
    status: 431,
    title: 'The request headers are too large',
    whatToDo: 'Send at most 16 KiB of headers.',
  },

  'link.unknown-peer': {
    status: stopsTheNode,
    title: 'Somebody connected with a key that is not on the ledger',
    whatToDo:
      'Nothing, if it is a stranger. If it is a member: compare its node key with the one in the genesis or the ledger.',
  },
  'link.wrong-ledger': {
    status: stopsTheNode,
    title: 'A peer belongs to another ledger',
    whatToDo: 'Compare the genesis files of both nodes; addresses of two networks may be mixed up.',
  },
  'link.malformed': {
    status: stopsTheNode,
    title: 'A peer sent bytes that are not a message',
    whatToDo: 'The link is closed and tried again later. If it is always the same peer, tell its operator.',
  },
  'link.frame-too-large': {
    status: stopsTheNode,
    title: 'A peer announced a message over the limit',
    whatToDo: 'The link is closed before anything is read. If it is always the same peer, tell its operator.',
  },
  'link.timeout': {
    status: stopsTheNode,
    title: 'A peer stopped answering',
    whatToDo: 'The link is tried again with growing pauses. Check the network and the peer.',
  },

  'journal.damaged': {
    status: stopsTheNode,
    title: 'The safety record is damaged',
    whatToDo:
      'Do not delete it: the node repairs from its peers. Check the disk; the message names segment and offset.',
  },
  'journal.failed': {
    status: stopsTheNode,
    title: 'Writing the safety record failed',
    whatToDo: 'The node stops. Check space and health of the disk, then start it again.',
  },

  'storage.damaged': {
    status: stopsTheNode,
    title: 'Stored data does not have the hash it must have',
    whatToDo: 'The node serves nothing damaged and repairs from its peers. Check the disk.',
  },
  'storage.failed': {
    status: stopsTheNode,
    title: 'Reading or writing a database failed',
    whatToDo: 'The node stops. Check space, permissions and health of the disk, then start it again.',
  },

  'config.http-needs-tls': {
    status: stopsTheNode,
    title: 'HTTP on a public address needs TLS',
    whatToDo: 'Set a certificate and key for HTTP, or bind to 127.0.0.1.',
  },
  'config.http-needs-tokens': {
    status: stopsTheNode,
    title: 'HTTP on a public address needs a tokens file',
    whatToDo: 'Name a tokens file for HTTP, or bind to 127.0.0.1.',
  },
  'config.http-tls-invalid': {
    status: stopsTheNode,
    title: 'Certificate and key for HTTP cannot be used',
    whatToDo: 'Give readable PEM files that belong together; the key must not be readable by everybody.',
  },
  'config.http-tokens-invalid': {
    status: stopsTheNode,
    title: 'The tokens file cannot be used',
    whatToDo:
      'It must be JSON: {"tokens":[{"name":"...","roles":["read","submit","operate"],"sha256":"<64 hex digits>"}]}, writable by its owner only.',
  },
  'config.http-address-unusable': {
    status: stopsTheNode,
    title: 'HTTP cannot listen on that address',
    whatToDo: 'Choose a free port and an address of this machine.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type NodeErrorCode = keyof typeof nodeErrors;

const entries: ReadonlyMap<string, ErrorEntry> = new Map(Object.entries(nodeErrors));

/** What the catalogues say about a code; null for one that is in neither. */
export function describeError(code: string): ErrorEntry | null {
  return entries.get(code) ?? null;
}
