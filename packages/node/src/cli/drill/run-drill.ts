/**
 * A whole drill: founds a network, makes the attacks one after the other (or several at once), each on another node, and reports.
 * A network all of whose nodes are back, with the keys of its genesis, is attacked again; else a fresh one is founded, so that one
 * broken promise does not spoil the next attack.
 */
import process from 'node:process';
import { exitCodes } from '../exit-code.ts';
import { note, say, sayJson, style } from '../output.ts';
import { type AttackName, attackNames } from './attack.ts';
import { attackByName } from './attack-list.ts';
import { type DrillNetwork, startDrillNetwork } from './drill-network.ts';
import type { AttackFigures } from './drill-report.ts';
import { type Assignment, runRound, type Tell } from './round.ts';
import { openRunningNetwork } from './running-network.ts';

export type DrillOptions = {
  /** Empty: all. */
  readonly attacks: readonly AttackName[];
  readonly nodes: number;
  /** How many different attacks at the same time. */
  readonly atOnce: number;
  /** Of a development network that runs; null: one is founded. */
  readonly dir: string | null;
  /** The folders stay. */
  readonly isKept: boolean;
  /** How long the network is measured before, and after; and at least meanwhile. */
  readonly windowMs?: number;
  /** How long a node is waited for; what is promised is less. */
  readonly patienceMs?: number;
  /** Clients of the load, at as many nodes. */
  readonly clients?: number;
  /** Takes the lines of the story. */
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
};

const defaultWindowMs = 5_000;
const defaultPatienceMs = 45_000;
/** Enough to use several nodes, without keeping two cores busy with themselves. */
const defaultClients = 4;

/** Figures of every attack that was made. */
export async function runDrill(options: DrillOptions): Promise<AttackFigures[]> {
  const names = options.attacks.length > 0 ? options.attacks : attackNames;
  const startedMs = performance.now();
  const tell: Tell = (who, line) => {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(6);
    const name = who === null ? '' : style('bold', who.attack.name.padEnd(11));
    options.tell(`${seconds} s  ${name}${line}`);
  };
  const figures: AttackFigures[] = [];
  let network: DrillNetwork | null = null;
  let attacked = 0;
  /** Ids of nodes of the present network that may have been taken back: that comes once in 1,000 heights (protocol.md section 5). */
  let harmed = new Set<string>();
  try {
    for (let first = 0; first < names.length && !options.signal.aborted; first += options.atOnce) {
      const round = names.slice(first, first + options.atOnce);
      const harmful = round.map((name) => !attackByName[name].isHarmless);
      if (network !== null && pickTargets(network, round, attacked).some(({ id }, i) => harmful[i] && harmed.has(id))) {
        await network.end();
        network = null;
      }
      if (network === null) harmed = new Set();
      network ??= await found(options, tell);
      const targets = pickTargets(network, round, attacked);
      attacked += round.length;
      for (const [i, { id }] of targets.entries()) if (harmful[i]) harmed.add(id);
      const assignments = round.map((name, i): Assignment => ({ attack: attackByName[name], target: targets[i]! }));
      const outcome = await runRound({
        network,
        assignments,
        tell,
        signal: options.signal,
        windowMs: options.windowMs ?? defaultWindowMs,
        patienceMs: options.patienceMs ?? defaultPatienceMs,
        clients: options.clients ?? defaultClients,
      });
      figures.push(...outcome);
      for (const [i, { broken }] of outcome.entries())
        tell(
          assignments[i]!,
          broken.length === 0 ? style('green', 'kept') : style('red', `broken: ${broken.join('; ')}`),
        );
      if (outcome.some(isSpoilt) || assignments.some(({ attack }) => attack.mayBeProven)) {
        await network.end();
        network = null;
      }
    }
  } finally {
    await network?.end();
  }
  return figures;
}

/** What comes after it would not be its own doing. */
function isSpoilt(figures: AttackFigures): boolean {
  const { backMs, heldFrom, acknowledgedLost, wrongAnswersServed, honestNodesAccused } = figures;
  return backMs === null || heldFrom + acknowledgedLost + wrongAnswersServed + honestNodesAccused > 0;
}

async function found(options: DrillOptions, tell: Tell): Promise<DrillNetwork> {
  if (options.dir !== null) return openRunningNetwork(options.dir);
  tell(null, `founding a network of ${options.nodes} nodes`);
  // The last one's links pass through a proxy, in case it is to be cut off.
  const network = await startDrillNetwork({ nodes: options.nodes, proxied: options.nodes - 1, isKept: options.isKept });
  tell(null, `${options.nodes} nodes are in sync${options.isKept ? ` in ${network.dir}` : ''}`);
  return network;
}

/** Another node for each attack, and for the next ones others than for the last; the one behind the proxy where it is needed. */
function pickTargets(network: DrillNetwork, names: readonly AttackName[], from: number) {
  const others = network.nodes.filter((node) => node !== network.proxied);
  let next = from;
  return names.map((name) => (name === 'partition' ? network.proxied! : others[next++ % others.length]!));
}

/** The command: runs, reports, ends with 1 when a promise was broken. */
export async function drillCommandOf(
  options: Omit<DrillOptions, 'signal' | 'tell'> & { readonly json: boolean },
): Promise<void> {
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) process.exit(exitCodes.failed);
    stopping.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const figures = await runDrill({ ...options, tell: options.json ? note : say, signal: stopping.signal }).catch(
    (error: unknown) => {
      if (stopping.signal.aborted) return [];
      throw error;
    },
  );
  if (options.json) sayJson({ attacks: figures });
  const isKept = figures.length > 0 && figures.every(({ broken }) => broken.length === 0);
  process.exit(isKept ? exitCodes.done : exitCodes.failed);
}
