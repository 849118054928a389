/**
 * One round of a drill: one attack, or several different ones at the same time on different nodes. The network is measured
 * before, attacked, measured meanwhile, and measured once more when all are back: what else the machine does then disturbs
 * both sides of the comparison alike.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readNodeConfig, writeNodeConfig } from '../../config/node-config.ts';
import { createNodeKeys } from '../../keys/node-keys.ts';
import { orFail } from '../exit-code.ts';
import type { Attack, AttackScene, AttackUnderWay } from './attack.ts';
import { type AttackWatch, createAttackWatch } from './attack-watch.ts';
import { startDrillLoad } from './drill-load.ts';
import { type DrillNetwork, type DrillNode, untilInSync } from './drill-network.ts';
import { type AttackFigures, brokenPromises, noticeLimitMs } from './drill-report.ts';
import { countLost, untilHistoryWhole } from './history-check.ts';
import { watchHistory } from './history-watch.ts';
import { admitWithNewKeys } from './members-vote.ts';
import { type LogLine, type LogWatch, watchLogs } from './node-log.ts';
import { startTruthReader } from './truth-reader.ts';

export type Assignment = { readonly attack: Attack; readonly target: DrillNode };
/** @param who the attack it is about; null: the network */
export type Tell = (who: Assignment | null, line: string) => void;

const warmUpMs = 2_000;
const settleMs = 60_000;
/** How much longer than promised an attack is given to be noticed; what comes later does not come. */
const noticeGraceMs = 8_000;
const backPollMs = 100;
const lostCheckMs = 20_000;

type Course = Assignment & {
  readonly watch: AttackWatch;
  readonly scene: AttackScene;
  readonly noticeMsMax: number;
  readonly patienceMs: number;
  underWay: AttackUnderWay | null;
  endedMs: number;
  backMs: number | null;
  /** Who was accused, and has done nothing. */
  readonly accused: Set<string>;
};

export type RoundOptions = {
  readonly network: DrillNetwork;
  readonly assignments: readonly Assignment[];
  readonly tell: Tell;
  readonly signal: AbortSignal;
  /** How long the network is measured before, and after; and at least meanwhile. */
  readonly windowMs: number;
  /** How long a node is waited for; what is promised is less. */
  readonly patienceMs: number;
  /** Clients of the load, at as many nodes. */
  readonly clients: number;
};

/** Ends with everything the round began ended; nodes may still be out. */
export async function runRound(options: RoundOptions): Promise<AttackFigures[]> {
  const { network, assignments, tell, signal, windowMs, patienceMs } = options;
  const targets = new Set(assignments.map(({ target }) => target));
  const rest = network.nodes.filter((node) => !targets.has(node));
  const courses: Course[] = [];
  const logs = watchLogs((line) => {
    for (const course of courses) course.watch.onLine(line);
    noteAccused(line, courses);
  });
  for (const node of network.nodes) logs.add(node.id, join(node.dir, 'node.log'));
  for (const assignment of assignments)
    courses.push(createCourse({ network, assignment, rest, tell, signal, logs, patienceMs }));
  for (const course of courses) await course.attack.prepare?.(course.scene);
  await untilInSync(network.nodes, settleMs);

  const load = startDrillLoad(network, rest.slice(0, options.clients));
  for (const { attack, target } of courses) if (!attack.voidsOwnPromises) load.addLight(target);
  const readers = courses.map(({ target }) => startTruthReader(network, target, load));
  const histories = courses.map((course) =>
    watchHistory(course.target, (atMs) => tell(course, `history complete again after ${sinceEnd(course, atMs)} ms`)),
  );
  try {
    await sleep(warmUpMs, undefined, { signal });
    const before = await measure(load.rateBetween, windowMs, signal);
    tell(null, `${Math.round(before)} transactions/s before`);

    await Promise.all(courses.map((course) => attackOf(course, tell)));
    const attackedFromMs = Math.min(...courses.map(({ watch }) => watch.beganMs));
    // Those that were the matter of a moment are over: their nodes come back while the others are still under attack.
    const momentary = courses.filter(({ underWay }) => underWay?.end === null);
    const returns = momentary.map((course) => backOf(course, rest, tell, signal));
    await untilShutOut(courses, windowMs, signal);
    const meanwhile = load.rateBetween(attackedFromMs, Date.now());
    tell(null, `${Math.round(meanwhile)} transactions/s meanwhile`);
    const lasting = courses.filter((course) => !momentary.includes(course));
    await Promise.all([...returns, ...lasting.map((course) => endOf(course, rest, network, tell, signal))]);
    const after = await measure(load.rateBetween, windowMs, signal);
    const share = Math.round((meanwhile / Math.max(1, (before + after) / 2)) * 100) / 100;
    tell(null, `${Math.round(after)} transactions/s after; meanwhile it was ${share} of that and of before`);

    await load.stop();
    await Promise.all(readers.map((reader) => reader.stop()));
    const honest = network.nodes.filter((node) => {
      const course = courses.find(({ target }) => target === node);
      return course === undefined || course.backMs !== null;
    });
    const partial = await untilHistoryWhole(honest);
    if (partial.length > 0) tell(null, `the history is not complete on ${partial.join(', ')}`);
    await Promise.all(histories.map((history) => history.stop()));
    const lost = await countLost(honest, load.acknowledged, lostCheckMs);
    tell(null, `${load.acknowledged.length} transactions were acknowledged, ${lost} of them are missing somewhere`);
    return courses.map((course, i) => {
      const { attack, target, watch } = course;
      const { wholeAtMs, heldFrom } = histories[i]!;
      const { beganMs } = watch;
      const wrong = readers[i]!.wrong;
      const [firstWrong] = wrong;
      if (firstWrong !== undefined)
        tell(course, `wrong: ${firstWrong.what}, ${firstWrong.atMs - beganMs} ms after it began`);
      const figures = {
        name: attack.name,
        node: target.id,
        noticedMs: watch.noticed === null ? null : Math.round(watch.noticed.atMs - beganMs),
        noticedBy: watch.noticed === null ? null : `${watch.noticed.by} ${watch.noticed.how}`,
        excludedMs: watch.shutOut === null ? null : Math.round(watch.shutOut.atMs - beganMs),
        throughputShare: share,
        backMs: course.backMs,
        bytesFetched: watch.bytesFetched,
        historyMs: wholeAtMs === null ? null : sinceEnd(course, wholeAtMs),
        heldFrom,
        honestNodesAccused: course.accused.size,
        acknowledgedLost: lost,
        wrongAnswersServed: wrong.length,
      };
      return { ...figures, broken: brokenPromises(figures, attack, network.deltaMs) };
    });
  } finally {
    logs.close();
    for (const course of courses) await course.underWay?.end?.().catch(() => undefined);
    await Promise.all(histories.map((history) => history.stop()));
    await load.stop();
    await Promise.all(readers.map((reader) => reader.stop()));
  }
}

/** Milliseconds from the end of the attack; 0 while it goes on. */
function sinceEnd({ endedMs }: Course, atMs: number): number {
  return endedMs === 0 ? 0 : Math.max(0, Math.round(atMs - endedMs));
}

type CourseParts = {
  readonly network: DrillNetwork;
  readonly assignment: Assignment;
  readonly rest: readonly DrillNode[];
  readonly tell: Tell;
  readonly signal: AbortSignal;
  readonly logs: LogWatch;
  readonly patienceMs: number;
};

function createCourse({ network, assignment, rest, tell, signal, logs, patienceMs }: CourseParts): Course {
  const { attack, target } = assignment;
  const since = (atMs: number): string => `${Math.round(atMs - course.watch.beganMs)} ms`;
  const watch = createAttackWatch({
    attack,
    targetId: target.id,
    restIds: rest.map(({ id }) => id),
    onNoticed: ({ atMs, by, how }) => tell(assignment, `noticed after ${since(atMs)}: ${by} ${how}`),
    onShutOut: ({ atMs, by, how }) => tell(assignment, `shut out after ${since(atMs)}: ${by} ${how}`),
  });
  const scene: AttackScene = {
    network,
    target,
    rest,
    signal,
    refused: (how) => watch.on('refused', target.id, how),
    watchLog: (path) => logs.add(target.id, path),
    tell: (line) => tell(assignment, line),
  };
  const course: Course = {
    ...assignment,
    watch,
    scene,
    noticeMsMax: noticeLimitMs(attack, network.deltaMs) + noticeGraceMs,
    patienceMs,
    underWay: null,
    endedMs: 0,
    backMs: null,
    accused: new Set(),
  };
  let ends = 0;
  network.onEnded((node, why) => {
    if (node !== target || ends++ > 0) return;
    tell(assignment, `${node.id} ended by itself (${why}); it is started again, as often as it takes`);
  });
  return course;
}

async function attackOf(course: Course, tell: Tell): Promise<void> {
  const { attack, scene, watch, target } = course;
  tell(course, `attack on ${target.id}: ${attack.what}`);
  watch.begin(Date.now());
  course.underWay = await attack.begin(scene);
  watch.begin(course.underWay.beganMs);
  if (course.underWay.end === null) course.endedMs = course.underWay.beganMs;
}

/** Until every attack is noticed and shut out, or is not going to be; and as long as each of them wants to last. */
async function untilShutOut(courses: readonly Course[], windowMs: number, signal: AbortSignal): Promise<void> {
  const fromMs = Date.now();
  const holdMs = Math.max(windowMs, ...courses.map(({ attack }) => attack.holdMs ?? 0));
  const longestMs = Math.max(holdMs, ...courses.map(({ noticeMsMax }) => noticeMsMax));
  while (Date.now() - fromMs < longestMs) {
    const isDone = courses.every(({ watch }) => watch.noticed !== null && watch.shutOut !== null);
    if (isDone && Date.now() - fromMs >= holdMs) return;
    await sleep(50, undefined, { signal });
  }
}

/** Ends what lasts until it is ended; has the keys replaced where they are no good any more; and waits for the return. */
async function endOf(
  course: Course,
  rest: readonly DrillNode[],
  network: DrillNetwork,
  tell: Tell,
  signal: AbortSignal,
): Promise<void> {
  const { attack, underWay, watch, target } = course;
  await underWay?.end?.();
  course.endedMs = Date.now();
  tell(course, 'the attack is over');
  if (attack.needsNewKeys || watch.isProven) {
    try {
      await giveNewKeys(network, target, rest);
      course.endedMs = Date.now();
      tell(course, `the members have voted for new keys of ${target.id}`);
    } catch (error) {
      tell(course, `the members could not vote: ${(error as Error).message}`);
    }
  }
  await backOf(course, rest, tell, signal);
}

/** What nobody has noticed nobody has repaired, so such a node is not back, whatever it says of itself. */
async function backOf(course: Course, rest: readonly DrillNode[], tell: Tell, signal: AbortSignal): Promise<void> {
  const { watch, target, noticeMsMax } = course;
  while (watch.noticed === null && Date.now() - watch.beganMs < noticeMsMax)
    await sleep(backPollMs, undefined, { signal });
  if (watch.noticed === null) return tell(course, `not noticed in ${noticeMsMax / 1000} s`);
  course.backMs = await untilBack(course, rest, signal);
  if (watch.shutOut === null) tell(course, 'never shut out');
  if (course.backMs === null) return tell(course, `${target.id} is not back after ${course.patienceMs / 1000} s`);
  const { bytesFetched } = watch;
  tell(course, `back after ${course.backMs} ms${bytesFetched === null ? '' : `; it fetched ${bytesFetched} bytes`}`);
}

/** Stops the node and replaces its keys; the members vote for the new ones; it starts with them. */
async function giveNewKeys(network: DrillNetwork, target: DrillNode, rest: readonly DrillNode[]): Promise<void> {
  await target.kill();
  const config = orFail(readNodeConfig(target.dir));
  rmSync(config.keysDir, { recursive: true, force: true });
  orFail(createNodeKeys(config.keysDir));
  // Whoever has other keys than the genesis names joins like a newcomer, and is told whom to ask.
  const { validators } = network.genesis.genesis;
  const bootstrap = rest.map(({ id, linkPort }) => {
    const { linkKey } = validators.find((validator) => validator.id === id)!;
    return { id, linkKey, addresses: [`127.0.0.1:${linkPort}`] };
  });
  writeNodeConfig(target.dir, { ...config, bootstrap });
  await admitWithNewKeys(network, target, rest);
  await target.start();
}

/** Until the node is active, up to date, and suspended nowhere; null when that takes too long. */
async function untilBack(
  { target, endedMs, patienceMs }: Course,
  rest: readonly DrillNode[],
  signal: AbortSignal,
): Promise<number | null> {
  const tip = await rest[0]!.client.status();
  const height = tip.ok ? tip.value.executedHeight : 0;
  while (Date.now() - endedMs < patienceMs) {
    if (await isBack(target, rest, height)) return Date.now() - endedMs;
    await sleep(backPollMs, undefined, { signal });
  }
  return null;
}

async function isBack(target: DrillNode, rest: readonly DrillNode[], height: number): Promise<boolean> {
  if (!target.isRunning()) return false;
  const own = await target.client.status();
  if (!own.ok || own.value.mode !== 'active' || !own.value.inSync || own.value.executedHeight < height) return false;
  const others = await Promise.all(rest.map((node) => node.client.status()));
  return others.every((status) => status.ok && !status.value.suspended.includes(target.id));
}

async function measure(
  rateBetween: (fromMs: number, toMs: number) => number,
  spanMs: number,
  signal: AbortSignal,
): Promise<number> {
  const fromMs = Date.now();
  await sleep(spanMs, undefined, { signal });
  return rateBetween(fromMs, Date.now());
}

/** Whoever is accused, and has done nothing: a validator that nobody attacks, or one that was attacked and signed no wrong. */
function noteAccused({ event, fields, owner }: LogLine, courses: readonly Course[]): void {
  const id = event === 'fault.proven' ? fields.accused : event === 'validator.suspended' ? fields.validator : null;
  if (typeof id !== 'string') return;
  // What a node that is under attack believes counts for nothing.
  if (courses.some(({ target }) => target.id === owner)) return;
  const own = courses.find(({ target }) => target.id === id);
  if (own === undefined) for (const { accused } of courses) accused.add(id);
  else if (event === 'fault.proven' && !own.attack.mayBeProven) own.accused.add(id);
}
