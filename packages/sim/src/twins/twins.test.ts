/** Twins: the schedules are what they are said to be, and the protocol withstands them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { installQuickPlatform } from '../quick-platform.ts';
import { createRandom } from '../random.ts';
import { badShareBound, type Exploration, explore } from './explore.ts';
import { runSchedule } from './run-schedule.ts';
import {
  allLinks,
  countSchedules,
  drawSchedules,
  enumerateSchedules,
  scheduleToText,
  textToSchedule,
} from './schedule.ts';

installQuickPlatform();

const withstood = ({ bad, violations, stalls }: Exploration) =>
  assert.deepEqual(bad, [], `${violations} violations, ${stalls} stalls; tell one with --schedule and --trace`);

test('every schedule of one view keeps agreement, blames nobody honest, and the chain goes on', () => {
  const exploration = explore(1, 1_000, 1);
  assert.equal(exploration.way, 'enumerated');
  assert.equal(exploration.schedules, countSchedules(1));
  withstood(exploration);
});

test('so do schedules of four views that are drawn', () => {
  const exploration = explore(4, 100, 7);
  assert.equal(exploration.way, 'sampled');
  withstood(exploration);
  assert.ok(exploration.twinsProven > 50, 'in most of them the twin contradicts itself');
});

test('a schedule gives the same run again', () => {
  const schedule = textToSchedule('2:40.11.3.60')!;
  assert.deepEqual(runSchedule(schedule), runSchedule(schedule));
});

test('links are told apart by who hears whom alone; schedules by links, up to the names of the two instances', () => {
  // 4 ways for three honest nodes to be in two groups. In one group: each hears either instance; or, where one instance
  // is with the other group, it or none. In two groups: an instance is heard in one group only.
  assert.equal(allLinks.length, 72);
  for (const views of [1, 2]) {
    const texts = [...enumerateSchedules(views)].map(scheduleToText);
    assert.equal(new Set(texts).size, texts.length);
    assert.equal(texts.length, countSchedules(views));
  }
});

test('what is drawn is what would be enumerated', () => {
  const all = new Set([...enumerateSchedules(2)].map(scheduleToText));
  const drawn = drawSchedules(2, createRandom(3));
  for (let i = 0; i < 500; i++) assert.ok(all.has(scheduleToText(drawn.next().value!)));
});

test('a schedule has a name that leads back to it; other names are none', () => {
  for (const text of ['0:0', '3:71.0.5.12']) assert.equal(scheduleToText(textToSchedule(text)!), text);
  for (const text of ['', '4:0', '0:', '0:72', '0:1.2.3.4.5', '0:-1', '0:1.', 'x:1'])
    assert.equal(textToSchedule(text), null);
});

test('the bound on the share of bad schedules is that of Clopper and Pearson', () => {
  assert.ok(Math.abs(badShareBound(100, 0) - (1 - 0.05 ** (1 / 100))) < 1e-9);
  assert.ok(Math.abs(badShareBound(10, 1) - 0.3942) < 1e-4);
  assert.equal(badShareBound(5, 5), 1);
});
