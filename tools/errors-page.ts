/**
 * docs/errors.md, written from the catalogues of the ledger, the node and the clients: `node tools/errors-page.ts --write`. Without `--write` it
 * prints the page. errors-catalogue.test.ts compares the two.
 */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type ErrorEntry, errorEntries } from '../packages/node/src/errors.ts';

export const PAGE_PATH = fileURLToPath(new URL('../docs/errors.md', import.meta.url));

const families: readonly (readonly [family: string, about: string])[] = [
  ['tx', 'Why a transaction is not accepted'],
  ['reading', 'What readings in a transaction must have'],
  ['account', 'Accounts'],
  ['asset', 'Assets and amounts'],
  ['key', 'Public keys: registering, rotating and revoking them'],
  ['quota', 'What a member may use'],
  ['proposal', 'Proposals and votes of the members'],
  ['member', 'Members, when one is voted in'],
  ['validator', 'Validators, when one is admitted or removed'],
  ['attest', 'What validators say of one another'],
  ['ready', 'What a node says that is to join or to return'],
  ['genesis', 'The genesis document'],
  ['node', 'The state of the node that was asked'],
  ['http', 'Requests'],
  ['invitation', 'Invitations'],
  ['join', '`cairn join`'],
  ['history', 'What a node does not hold'],
  ['link', 'Links between nodes; in logs and in the metric `cairn_link_errors_total`'],
  ['gateway', 'MQTT messages that never become a transaction'],
  ['journal', 'The safety record'],
  ['storage', 'The databases'],
  ['snapshot', 'Synchronising from a snapshot'],
  ['repair', 'Repair of damaged data'],
  ['config', 'Settings; the node does not start'],
  ['keyfile', 'Key files'],
  ['counter', 'Counter files, beside the keys'],
  ['usage', 'How a command was called'],
  ['client', 'Talking to nodes, from a command, a gateway or the SDK'],
  ['feed', '`cairn feed`'],
  ['init', '`cairn init`'],
  ['dev', '`cairn dev`'],
  ['audit', '`cairn audit`'],
  ['doctor', '`cairn doctor`'],
  ['outbox', 'The outbox of a gateway'],
  ['anchor', 'Trust anchors and epoch proofs: following the validators from one epoch to the next'],
  ['restart', 'Restarting a network that cannot go on by itself: `cairn restart`'],
  ['recertify', 'Executing again what could not be certified: `cairn recertify`'],
  ['past', 'What was before the state that a node began with'],
  ['receipt', 'Why a receipt does not verify'],
  ['proof', 'Proofs of a part of the state'],
  ['merkle', 'Paths in Merkle trees; usually inside the message of another error'],
  ['senml', 'Readings that are not SenML as the ledger takes it'],
  ['cbor', 'Bytes that are not CBOR as the formats want it; usually inside the message of another error'],
  ['message', 'Messages between nodes that are refused; in logs and in the metric `cairn_messages_refused_total`'],
  ['batch', 'Batches'],
  ['block', 'Blocks'],
  ['vote', 'Votes'],
  ['certificate', 'Certificates'],
  ['checkpoint', 'Checkpoints'],
];

type Row = ErrorEntry & { readonly code: string };

/** Every code of the catalogues. */
export function catalogueRows(): Row[] {
  return Array.from(errorEntries, ([code, entry]) => ({ code, ...entry }));
}

export function renderErrorsPage(): string {
  const rows = catalogueRows();
  const lost = rows.filter(({ code }) => !families.some(([family]) => code.startsWith(`${family}.`)));
  assert.deepEqual(lost, [], 'every family of codes has a section');
  const sections = families.flatMap(([family, about]) => {
    const members = rows.filter((row) => row.code.startsWith(`${family}.`));
    if (members.length === 0) return [];
    const lines = members.map(({ code, status, title, whatToDo }) => {
      const cells = [`\`${code}\``, status === null ? '' : String(status), cell(title), cell(whatToDo)];
      return `| ${cells.join(' | ')} |`;
    });
    return [
      `## ${family}\n\n${about}.\n\n| code | HTTP | what it means | what to do |\n|---|---|---|---|\n${lines.join('\n')}\n`,
    ];
  });
  return `# Errors

Every error has a code. The code is stable, so programs may decide by it; the message beside it tells the particular case.
HTTP answers carry it in problem details (RFC 9457):

\`\`\`json
{
  "type": "urn:cairn:error:node.busy",
  "title": "The node has no room for more transactions",
  "status": 429,
  "detail": "the mempool holds 100,000 transactions",
  "code": "node.busy",
  "whatToDo": "Send the same transaction again after the time in Retry-After, or to another node.",
  "retryAfterSeconds": 1
}
\`\`\`

Sending a transaction again, unchanged, is always safe: it is the same transaction.

This page is written from the catalogues in \`packages/core/src/ledger/errors.ts\`, \`packages/node/src/errors.ts\` and
\`packages/node/src/errors-of-clients.ts\` by \`node tools/errors-page.ts --write\`; a test compares them.

${sections.join('\n')}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) writeFileSync(PAGE_PATH, renderErrorsPage());
  else process.stdout.write(renderErrorsPage());
}
