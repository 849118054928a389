/**
 * Draws schedules for a mutant (mutants/) until one shows it: `node find-mutant.ts <name> <schedules>`. A process of its
 * own, since the mutant's sources take the place of the real ones. Prints what it found, or nothing.
 */
import process from 'node:process';
import { catalogue } from '../mutants/catalogue.ts';
import { loadMutated } from '../mutants/load-mutated.ts';

const [name, count] = process.argv.slice(2);
const mutant = catalogue.find((each) => each.name === name);
if (mutant === undefined) throw new Error(`no mutant is named ${name}`);
const assertLoaded = loadMutated(mutant);
// Only now, so that the mutant is what they import.
const { installQuickPlatform } = await import('../quick-platform.ts');
const { createRandom } = await import('../random.ts');
const { runSchedule } = await import('./run-schedule.ts');
const { drawSchedules, scheduleToText } = await import('./schedule.ts');
assertLoaded();
installQuickPlatform();

const schedules = drawSchedules(4, createRandom(5));
for (let i = 0; i < Number(count); i++) {
  const schedule = schedules.next().value!;
  const { violations, stalls } = runSchedule(schedule);
  const found = violations[0] ?? stalls[0];
  if (found === undefined) continue;
  console.log(`${violations.length > 0 ? 'violation' : 'stall'} ${scheduleToText(schedule)}: ${found}`);
  break;
}
