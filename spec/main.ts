/** `npm run model`: every check within the full bound, and every rule removed. Exit code 1 when one is not as it should be. */
import process from 'node:process';
import { fullChecks, mutants } from './checks.ts';
import { type Verdict, verify, whatIsMissing } from './spin.ts';

const missing = await whatIsMissing();
if (missing !== null) {
  console.error(missing);
  process.exit(2);
}

let isAsItShouldBe = true;
for (const { name, definitions } of fullChecks) {
  const verdict = await verify(definitions);
  isAsItShouldBe &&= verdict.violation === null;
  tell(verdict.violation === null ? 'holds' : `BROKEN: ${verdict.violation.assertion}`, name, verdict);
  for (const step of verdict.violation?.steps ?? []) console.log(`    ${step}`);
}
for (const { rule, definitions, finding } of mutants) {
  const verdict = await verify(definitions);
  const isFound = verdict.violation?.assertion === finding;
  isAsItShouldBe &&= isFound;
  tell(isFound ? `found, ${finding}` : `NOT FOUND (${verdict.violation?.assertion})`, `without: ${rule}`, verdict);
}
process.exit(isAsItShouldBe ? 0 : 1);

function tell(outcome: string, what: string, { states, seconds }: Verdict): void {
  console.log(`${outcome}: ${what} (${states} states, ${seconds} s)`);
}
