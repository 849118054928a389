/**
 * Golden transcripts: what a scenario told when somebody last read it and found it right. One that changes is read again:
 *
 *     UPDATE_GOLDEN=1 npx node --test packages/sim/src/scenarios/
 *     git diff packages/sim/src/scenarios/golden
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('golden/', import.meta.url));

/** Longer than that is not read by anybody. */
const linesMax = 80;

export function compareWithGolden(name: string, transcript: string): void {
  const lines = transcript.split('\n');
  assert.ok(lines.length <= linesMax, `${name}: ${lines.length} lines are too many to read\n${transcript}`);
  const path = `${folder}${name}.txt`;
  if (process.env.UPDATE_GOLDEN === '1') return writeFileSync(path, transcript);
  const golden = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (golden === transcript) return;
  assert.fail(`the story of ${name} has changed:\n${differenceOf(golden, transcript)}\n${howToUpdate}`);
}

const howToUpdate =
  'If the new one is right: UPDATE_GOLDEN=1 npx node --test packages/sim/src/scenarios/ and read the difference in git.';

/** Lines of both, in order, with - and + before those that only one has: the longest common subsequence is kept. */
export function differenceOf(before: string, after: string): string {
  const [a, b] = [before.split('\n'), after.split('\n')];
  const common = a.map(() => new Array<number>(b.length + 1).fill(0));
  common.push(new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i]![j] = a[i] === b[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(`  ${a[i++]}`);
      j++;
    } else if (j < b.length && (i === a.length || common[i]![j + 1]! > common[i + 1]![j]!)) lines.push(`+ ${b[j++]}`);
    else lines.push(`- ${a[i++]}`);
  }
  return lines.join('\n');
}
