/**
 * Schedules of twins, after Bano, Sonnino, Chursin, Perelman, Li, Ching and Malkhi, "Twins: BFT Systems Made Robust"
 * (OPODIS 2021): the only fault is that one of four validators runs twice with one key; everything else is who hears whom.
 * A schedule says that for one view after the other: two groups that do not hear each other, and which of the two
 * instances each honest node is linked to, as a real node keeps one link for each key.
 *
 * Different choices may come to the same links, and count once. The two instances differ in nothing but their names, so of
 * a schedule and the one with their names exchanged only the first counts. Leaders take turns, so which validator is the
 * twin does matter.
 */
import type { Random } from '../random.ts';

export const validatorsCount = 4;
/** The place of the second instance. */
export const secondPlace = validatorsCount;
const placesCount = validatorsCount + 1;
export const viewsMax = 4;

/** Who hears whom in a view. Honest nodes are counted 0, 1, 2, without the twin. */
export type Links = {
  /** Group of each of: the honest nodes, the first instance, the second one. */
  readonly groups: readonly number[];
  /** Instance that each honest node is linked to: 0 or 1. */
  readonly sees: readonly number[];
};

/** `links`: one number of `allLinks` for each view. */
export type Schedule = { readonly twin: number; readonly links: readonly number[] };

const honestCount = validatorsCount - 1;

/** Every way to hear and be heard, once. */
export const allLinks: readonly Links[] = distinctLinks();

/** The number of the same links with the names of the instances exchanged. */
const exchanged: readonly number[] = numbersOfExchanged();

function distinctLinks(): Links[] {
  const found = new Map<string, Links>();
  for (let groupBits = 0; groupBits < 2 ** placesCount; groupBits++) {
    for (let seenBits = 0; seenBits < 2 ** honestCount; seenBits++) {
      const links = {
        groups: Array.from({ length: placesCount }, (_, i) => (groupBits >> i) & 1),
        sees: Array.from({ length: honestCount }, (_, i) => (seenBits >> i) & 1),
      };
      const name = nameOf(links);
      if (!found.has(name)) found.set(name, links);
    }
  }
  return [...found.values()];
}

/** What links come to: which honest nodes hear each other, and which instance each of them hears, if any. */
function nameOf({ groups, sees }: Links): string {
  const pairs = [groups[0] === groups[1], groups[0] === groups[2], groups[1] === groups[2]];
  const heard = sees.map((instance, i) => (groups[i] === groups[honestCount + instance] ? instance : '-'));
  return `${pairs.map(Number).join('')} ${heard.join('')}`;
}

function numbersOfExchanged(): number[] {
  const names = allLinks.map(nameOf);
  return allLinks.map(({ groups, sees }) => {
    const [a, b, c, first, second] = groups as [number, number, number, number, number];
    return names.indexOf(nameOf({ groups: [a, b, c, second, first], sees: sees.map((instance) => 1 - instance) }));
  });
}

/** Whether it counts: it comes not after the one with the instances exchanged. */
function isFirstOfBoth(links: readonly number[]): boolean {
  for (const number of links) {
    const other = exchanged[number]!;
    if (number !== other) return number < other;
  }
  return true;
}

/** How many schedules of so many views there are; those that are the same under exchange count once. */
export function countSchedules(views: number): number {
  const same = exchanged.filter((other, number) => other === number).length;
  return (validatorsCount * (allLinks.length ** views + same ** views)) / 2;
}

export function* enumerateSchedules(views: number): Generator<Schedule> {
  const links = new Array<number>(views).fill(0);
  for (;;) {
    if (isFirstOfBoth(links)) for (let twin = 0; twin < validatorsCount; twin++) yield { twin, links: [...links] };
    let at = views - 1;
    while (at >= 0 && links[at] === allLinks.length - 1) links[at--] = 0;
    if (at < 0) return;
    links[at]!++;
  }
}

/** Draws schedules with equal chances, without end; one may come twice. */
export function* drawSchedules(views: number, random: Random): Generator<Schedule> {
  for (;;) {
    const links = Array.from({ length: views }, () => random.integer(0, allLinks.length - 1));
    const twin = random.integer(0, validatorsCount - 1);
    yield { twin, links: isFirstOfBoth(links) ? links : links.map((number) => exchanged[number]!) };
  }
}

/** `2:17.0.5.40`: the twin, and the links of each view. */
export function scheduleToText({ twin, links }: Schedule): string {
  return `${twin}:${links.join('.')}`;
}

/** Null for what is no schedule. */
export function textToSchedule(text: string): Schedule | null {
  const match = /^([0-3]):(\d{1,3}(?:\.\d{1,3}){0,3})$/.exec(text);
  if (match === null) return null;
  const links = match[2]!.split('.').map(Number);
  return links.every((number) => number < allLinks.length) ? { twin: Number(match[1]), links } : null;
}
