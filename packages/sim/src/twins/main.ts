/**
 * Explores schedules of twins from the command line. Exit code 1 when one violates a promise or stalls, 2 when it is called
 * wrongly.
 */
import process from 'node:process';
import { Arguments } from '../arguments.ts';
import { installQuickPlatform } from '../quick-platform.ts';
import { createTrace } from '../trace.ts';
import { type Exploration, explore } from './explore.ts';
import { runSchedule } from './run-schedule.ts';
import { textToSchedule, validatorsCount, viewsMax } from './schedule.ts';

const usage = `usage:
  npm run sim:twins -- [--views N] [--samples N] [--seed S] [--json]
                        schedules of 1 to N views (${viewsMax} without it): all of them where there are no more than N samples,
                        else so many drawn ones
  npm run sim:twins -- --schedule T:A.B.C.D [--trace [--full]]
                        this one, by its name`;

const args = new Arguments(usage, {
  options: {
    views: { type: 'string', default: `${viewsMax}` },
    samples: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    schedule: { type: 'string' },
    trace: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const { values } = args.given;
installQuickPlatform();
if (values.schedule !== undefined) runOne(values.schedule);
else
  runMany(
    args.readCount(values.views, 1, viewsMax),
    args.readCount(values.samples, 1, 1e8),
    args.readCount(values.seed, 1, 2 ** 32 - 1),
  );

function runOne(text: string): void {
  const schedule = textToSchedule(text) ?? args.refuse(`"${text}" is no schedule`);
  const trace = createTrace({
    mode: values.full ? 'full' : 'story',
    write: (line) => console.log(line),
    validatorsCount,
    twins: [schedule.twin],
  });
  const report = runSchedule(schedule, values.trace ? trace.observe : null);
  trace.finish();
  console.log(JSON.stringify(report));
  if (report.violations.length + report.stalls.length > 0) process.exitCode = 1;
}

function runMany(views: number, samples: number, seed: number): void {
  const startedMs = performance.now();
  const explorations: Exploration[] = [];
  for (let count = 1; count <= views; count++) {
    const exploration = explore(count, samples, seed);
    explorations.push(exploration);
    if (!values.json) console.log(textOf(exploration));
    if (exploration.violations + exploration.stalls > 0) process.exitCode = 1;
  }
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  const sum = (what: 'schedules' | 'violations' | 'stalls') =>
    explorations.reduce((total, each) => total + each[what], 0);
  const summary = { schedules: sum('schedules'), violations: sum('violations'), stalls: sum('stalls'), seconds };
  console.log(
    values.json ? JSON.stringify({ ...summary, explorations }) : `${summary.schedules} schedules, ${seconds} s`,
  );
}

function textOf({
  views,
  way,
  schedules,
  of,
  violations,
  stalls,
  badShareMax,
  slowestRecovery,
  bad,
}: Exploration): string {
  const bound =
    way === 'enumerated' ? '' : `; with 95 % confidence less than ${(100 * badShareMax).toFixed(3)} % are bad`;
  return [
    `${views} views: ${schedules} of ${of} schedules ${way}, ${violations} violations, ${stalls} stalls${bound}`,
    `  slowest recovery ${slowestRecovery.recoveryMs} ms: npm run sim:twins -- --schedule ${slowestRecovery.schedule} --trace`,
    ...bad.flatMap(({ schedule, what }) => [
      `  bad: npm run sim:twins -- --schedule ${schedule} --trace`,
      ...what.map((text) => `    ${text}`),
    ]),
  ].join('\n');
}
