/**
 * Sentences of a readable trace: what one node does at one moment is one sentence, and nodes that do the same at about the
 * same time share it. The order in which a node does things is kept.
 */
import type { TraceNames } from './trace-names.ts';

/** Who is told what a clause says, of those who could be: told only where it is not everybody. */
export type Reach = { readonly linked: ReadonlySet<number>; readonly told: Set<number>; readonly lost: Set<number> };

export type Clause = { readonly say: (isOne: boolean) => string; readonly reach: Reach | null };

type Sentence = { readonly atMs: number; readonly clauses: Clause[] };
type Line = { readonly atMs: number; readonly nodes: Set<number>; readonly clauses: readonly Clause[]; key: string };

export class TraceLines {
  readonly #names: TraceNames;
  readonly #write: (line: string) => void;
  /** How much later a node may do the same and still share the sentence, in milliseconds. */
  readonly #togetherMs: number;
  readonly #tellsReach: boolean;
  readonly #open = new Map<number, Sentence>();
  /** In order of time; told when nobody can join any more. */
  #lines: Line[] = [];

  /** @param tellsReach not where every frame is told anyway */
  constructor(names: TraceNames, write: (line: string) => void, togetherMs: number, tellsReach: boolean) {
    this.#names = names;
    this.#write = write;
    this.#togetherMs = togetherMs;
    this.#tellsReach = tellsReach;
  }

  /** What a node does goes on: its sentence of this moment, which ends when time passes. */
  clause(node: number, clause: Clause, nowMs: number): void {
    this.passTo(nowMs);
    const sentence = this.#open.get(node);
    if (sentence === undefined) this.#open.set(node, { atMs: nowMs, clauses: [clause] });
    else sentence.clauses.push(clause);
  }

  /** A line of its own: something that happens to the world. */
  aside(text: string, nowMs: number): void {
    this.passTo(nowMs);
    this.finish();
    this.#write(`${timeText(nowMs)}  ${text}`);
  }

  passTo(nowMs: number): void {
    for (const [node, sentence] of this.#open) {
      if (sentence.atMs === nowMs) continue;
      this.#open.delete(node);
      this.#close(node, sentence);
    }
    while (this.#lines.length > 0 && this.#lines[0]!.atMs + this.#togetherMs < nowMs) this.#tell(this.#lines.shift()!);
  }

  /** Nothing more comes, or nothing that belongs to what came. */
  finish(): void {
    for (const [node, sentence] of this.#open) this.#close(node, sentence);
    this.#open.clear();
    for (const line of this.#lines) this.#tell(line);
    this.#lines = [];
  }

  #close(node: number, { atMs, clauses }: Sentence): void {
    const key = this.#textOf(clauses, true);
    for (let i = this.#lines.length - 1; i >= 0; i--) {
      const line = this.#lines[i]!;
      if (line.key === key && !line.nodes.has(node)) {
        line.nodes.add(node);
        return;
      }
      // What this node did before must be told before.
      if (line.nodes.has(node)) break;
    }
    this.#lines.push({ atMs, nodes: new Set([node]), clauses, key });
  }

  #tell({ atMs, nodes, clauses }: Line): void {
    const text = this.#textOf(clauses, nodes.size === 1);
    this.#write(`${timeText(atMs)}  ${this.#names.places(nodes)} ${text}`);
  }

  #textOf(clauses: readonly Clause[], isOne: boolean): string {
    return clauses.map(({ say, reach }) => say(isOne) + this.#reachText(reach)).join(', ');
  }

  #reachText(reach: Reach | null): string {
    if (reach === null || !this.#tellsReach || (reach.linked.size > 0 && reach.told.size === reach.linked.size))
      return '';
    if (reach.told.size === 0) return ' -> nobody';
    if (reach.told.size + reach.lost.size < reach.linked.size) return ` -> ${this.#names.places(reach.told)}`;
    return ` (lost on the way to ${this.#names.places(reach.lost)})`;
  }
}

export function timeText(ms: number): string {
  return ms.toFixed(0).padStart(7);
}
