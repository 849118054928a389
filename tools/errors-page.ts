/**
 * docs/errors.md, written from the catalogues of core and node: `node tools/errors-page.ts --write`. Without `--write` it
 * prints the page. errors-catalogue.test.ts compares the two.
 */
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
  ['key', 'Registering, rotating and revoking keys'],
  ['quota', 'What a member may use'],
  ['genesis', 'The genesis document'],
  ['node', 'The state of the node that was asked'],
  ['http', 'Requests'],
  ['link', 'Links between nodes; in logs and in the metric `cairn_link_errors_total`'],
  ['gateway', 'MQTT messages that never become a transaction'],
  ['journal', 'The safety record'],
  ['storage', 'The databases'],
  ['config', 'Settings; the node does not start'],
];

type Row = ErrorEntry & { readonly code: string };

/** Every code of both catalogues. */
export function catalogueRows(): Row[] {
  return Array.from(errorEntries, ([code, entry]) => ({ code, ...entry }));
}

export function renderErrorsPage(): string {
  const rows = catalogueRows();
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

This page is written from the catalogues in \`packages/core/src/ledger/errors.ts\` and \`packages/node/src/errors.ts\` by
\`node tools/errors-page.ts --write\`; a test compares them.

${sections.join('\n')}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--write')) writeFileSync(PAGE_PATH, renderErrorsPage());
  else process.stdout.write(renderErrorsPage());
}
