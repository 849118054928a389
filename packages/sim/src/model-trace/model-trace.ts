/**
 * What the honest validators of a simulated world did, in the words of the model (spec/agreement.pml): votes as they are
 * signed, certificates and certifications as they are recorded, views as they are entered, finalizations, executions,
 * certified checkpoints, restarts. The model decides whether each step is allowed; nothing is judged here.
 *
 * A vote becomes a step when it is signed for the first time. One that was durable but not yet signed when its node went
 * down is signed after the restart; it was decided before, so its step stands before the restart.
 */
import { type Certificate, type JournalRecord, type Proposal, toHex, type Vote, viewOfVote } from '@cairn-ledger/core';
import type { WorldEvent } from '../observer.ts';
import { drawPlan, type WorldOptions } from '../plan.ts';
import { runPlan } from '../world.ts';
import { decodeSignedVote } from './signed-vote.ts';

export type ModelRule =
  | 'Notarize'
  | 'Nullify'
  | 'Finalize'
  | 'EnterView'
  | 'Notarization'
  | 'Nullification'
  | 'Finalization'
  | 'Certify'
  | 'Finalized'
  | 'Execute'
  | 'CheckpointCertified'
  | 'Restart';

export type ModelStep = {
  readonly rule: ModelRule;
  /** Place among the honest validators. */
  readonly who: number;
  readonly view: number;
  readonly parentView: number;
  /** Of a proposal: 0 for the parent's block again, else which new block of its view. Of `EnterView`: by what. */
  readonly kind: number;
  /** 0 where it is not known, or there is none. */
  readonly height: number;
};

export type ModelTrace = {
  readonly validatorsCount: number;
  /** The one whose steps are not told: Byzantine, or with a damaged disk. */
  readonly faulty: number | null;
  /** No step is of a view above. */
  readonly viewsMax: number;
  readonly steps: readonly ModelStep[];
};

/** The codes of spec/agreement.pml. */
const again = 0;
const kindsMax = 7;
const entryCodes = { start: 0, nullification: 1, notarization: 2, finalization: 3 };
const damages = new Set(['lying-disk', 'roll-back', 'bit-flip', 'misdirected-write', 'wipe']);

/**
 * Runs a world, and tells its steps up to the first one above `viewsMax`.
 *
 * @returns null when more than one validator of this world is faulty, which the model does not know
 */
export function recordModelTrace(options: WorldOptions, viewsMax: number): ModelTrace | null {
  const plan = drawPlan(options);
  const faulty = new Set(plan.byzantine.map(({ node }) => node));
  for (const { fault } of plan.faults) if (damages.has(fault.type) && 'node' in fault) faulty.add(fault.node);
  if (faulty.size > 1) return null;
  const recorder = new ModelTraceRecorder(options.nodesCount, faulty, viewsMax);
  runPlan(plan, (event) => recorder.observe(event));
  return { validatorsCount: options.nodesCount, faulty: [...faulty][0] ?? null, viewsMax, steps: recorder.steps };
}

export class ModelTraceRecorder {
  readonly steps: ModelStep[] = [];
  readonly #viewsMax: number;
  /** By place in the world; those without one are not honest. */
  readonly #who = new Map<number, number>();
  readonly #lives = new Map<number, number>();
  /** Where each life of a node ended. */
  readonly #restarts = new Map<string, ModelStep>();
  /** The life in which a vote was decided. */
  readonly #decidedIn = new Map<string, number>();
  readonly #signed = new Set<string>();
  /** The notarized block of a view, and the new blocks proposed in it, in order of appearance. */
  readonly #notarized = new Map<number, string>();
  readonly #newBlocks = new Map<number, string[]>();
  readonly #heights = new Map<string, number>();
  #isOver = false;

  constructor(validatorsCount: number, faulty: ReadonlySet<number>, viewsMax: number) {
    this.#viewsMax = viewsMax;
    for (let place = 0; place < validatorsCount; place++) if (!faulty.has(place)) this.#who.set(place, this.#who.size);
  }

  observe(event: WorldEvent): void {
    // The model knows one epoch.
    if (event.type === 'epoch') this.#isOver = true;
    if (this.#isOver || !('node' in event)) return;
    const who = this.#who.get(event.node);
    if (who === undefined) return;
    switch (event.type) {
      case 'crashed':
        return this.#onCrash(who);
      case 'recorded':
        return this.#onRecord(who, event.record);
      case 'signed':
        return this.#onSigned(who, event.bytes);
      case 'executed':
        return this.#add({ ...stepOf('Execute', who, 0), height: event.block.header.height });
      case 'fact':
        if (event.fact.type === 'entered-view')
          this.#add({ ...stepOf('EnterView', who, event.fact.view), kind: entryCodes[event.fact.by] });
        else if (event.fact.type === 'finalized') this.#add(stepOf('Finalized', who, event.fact.view));
        else if (event.fact.type === 'checkpoint-certified')
          this.#add({ ...stepOf('CheckpointCertified', who, 0), height: event.fact.height });
        return;
      case 'started':
      case 'sealed':
      case 'refused':
      case 'fenced':
      case 'failed':
        return;
    }
  }

  #add(step: ModelStep): void {
    if (step.view > this.#viewsMax || step.height > this.#viewsMax) this.#isOver = true;
    else this.steps.push(step);
  }

  #onCrash(who: number): void {
    const life = this.#lifeOf(who);
    const restart = stepOf('Restart', who, 0);
    this.#restarts.set(`${who}/${life}`, restart);
    this.#lives.set(who, life + 1);
    this.#add(restart);
  }

  #onRecord(who: number, record: JournalRecord): void {
    if (record.type === 'own-vote') this.#decidedIn.set(`${who}/${voteName(record.vote)}`, this.#lifeOf(who));
    else if (record.type === 'block') this.#heights.set(toHex(record.block.digest), record.block.header.height);
    else if (record.type === 'certificate') this.#onCertificate(who, record.certificate);
    else if (record.type === 'certified' && record.isOk) this.#add(stepOf('Certify', who, record.view));
  }

  #onCertificate(who: number, { vote }: Certificate): void {
    if (vote.type === 'nullify') return this.#add(stepOf('Nullification', who, viewOfVote(vote)));
    const digest = toHex(vote.proposal.digest);
    const step = this.#stepOn(vote.type === 'notarize' ? 'Notarization' : 'Finalization', who, vote.proposal);
    if (!this.#notarized.has(vote.proposal.view)) this.#notarized.set(vote.proposal.view, digest);
    this.#add({ ...step, height: this.#heights.get(digest) ?? 0 });
  }

  #onSigned(who: number, bytes: Uint8Array): void {
    const vote = decodeSignedVote(bytes);
    if (vote === null) return;
    const name = `${who}/${voteName(vote)}`;
    if (this.#signed.has(name)) return;
    this.#signed.add(name);
    const step =
      vote.type === 'nullify'
        ? stepOf('Nullify', who, vote.view)
        : this.#stepOn(vote.type === 'notarize' ? 'Notarize' : 'Finalize', who, vote.proposal);
    const restart = this.#restarts.get(`${who}/${this.#decidedIn.get(name)}`);
    if (restart === undefined || step.view > this.#viewsMax) return this.#add(step);
    this.steps.splice(this.steps.indexOf(restart), 0, step);
  }

  #stepOn(rule: ModelRule, who: number, proposal: Proposal): ModelStep {
    return {
      ...stepOf(rule, who, proposal.view),
      parentView: proposal.parentView,
      kind: this.#kindOf(proposal),
    };
  }

  #kindOf({ view, parentView, digest }: Proposal): number {
    const name = toHex(digest);
    if (this.#notarized.get(parentView) === name) return again;
    const known = this.#newBlocks.get(view) ?? [];
    if (!known.includes(name)) known.push(name);
    this.#newBlocks.set(view, known);
    const kind = 1 + known.indexOf(name);
    if (kind > kindsMax) throw new Error(`more than ${kindsMax} blocks in view ${view}: the model's numbers end there`);
    return kind;
  }

  #lifeOf(who: number): number {
    return this.#lives.get(who) ?? 0;
  }
}

function stepOf(rule: ModelRule, who: number, view: number): ModelStep {
  return { rule, who, view, parentView: 0, kind: 0, height: 0 };
}

function voteName(vote: Vote): string {
  if (vote.type === 'nullify') return `${vote.type}/${vote.view}`;
  const { view, parentView, digest } = vote.proposal;
  return `${vote.type}/${view}/${parentView}/${toHex(digest)}`;
}
