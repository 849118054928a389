/**
 * The process that hunts one mutant: `node hunt.ts` with an order as its first message. It runs worlds, seed after seed,
 * until one of them shows the mutant, and tells each world before it begins, so that a hang or a crash has a place.
 */
import process from 'node:process';
import { catalogue } from './catalogue.ts';
import { covered } from './covered.ts';
import { loadMutated } from './load-mutated.ts';

export type HuntOrder = {
  /** Name of a mutant; its worlds are run. */
  readonly mutant: string;
  /** False for the control: the same worlds with the sources as they are. */
  readonly isMutated: boolean;
  readonly from: number;
  readonly count: number;
};

export type HuntMessage =
  | { readonly type: 'world'; readonly seed: number; readonly nodes: number }
  | { readonly type: 'shown'; readonly how: 'violation' | 'stall' | 'crash'; readonly text: string }
  | { readonly type: 'clean' };

process.once('message', async (order: HuntOrder) => {
  await hunt(order);
  process.disconnect();
});

async function hunt({ mutant: name, isMutated, from, count }: HuntOrder): Promise<void> {
  const mutant = [...catalogue, ...covered].find((each) => each.name === name);
  if (mutant === undefined) throw new Error(`no mutant is called ${name}`);
  const assertLoaded = isMutated ? loadMutated(mutant) : () => undefined;
  const { installQuickPlatform } = await import('../quick-platform.ts');
  const { runPlan } = await import('../world.ts');
  const { drawWorld } = await import('../profiles/profile.ts');
  assertLoaded();
  installQuickPlatform();
  for (let seed = from; seed < from + count; seed++) {
    const nodes = mutant.nodes[seed % mutant.nodes.length]!;
    tell({ type: 'world', seed, nodes });
    const shown = judge(() => runPlan(drawWorld(mutant.profile, seed, nodes)));
    if (shown !== null) return tell(shown);
  }
  tell({ type: 'clean' });
}

function judge(
  run: () => { readonly violations: readonly string[]; readonly stalls: readonly string[] },
): HuntMessage | null {
  try {
    const { violations, stalls } = run();
    if (violations.length > 0) return { type: 'shown', how: 'violation', text: violations[0]! };
    if (stalls.length > 0) return { type: 'shown', how: 'stall', text: stalls[0]! };
    return null;
  } catch (error) {
    return { type: 'shown', how: 'crash', text: error instanceof Error ? error.message : String(error) };
  }
}

function tell(message: HuntMessage): void {
  process.send!(message);
}
