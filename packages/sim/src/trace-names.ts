/** Names for people: blocks by letters in order of appearance, nodes by their number, second twins with a stroke. */
import { type Batch, type BatchReference, type Block, decodeFaultProof, type Hash, toHex } from '@cairn-ledger/core';

export class TraceNames {
  readonly validatorsCount: number;
  readonly #twins: readonly number[];
  readonly #letters = new Map<string, string>();
  readonly #blocks = new Map<string, Block>();

  /** @param twins validators that have a second place, in the order of those places */
  constructor(validatorsCount: number, twins: readonly number[] = []) {
    this.validatorsCount = validatorsCount;
    this.#twins = twins;
  }

  /** Validator index of a place. */
  indexOf(place: number): number {
    return place < this.validatorsCount ? place : (this.#twins[place - this.validatorsCount] ?? place);
  }

  /** `2`, and `2'` for its second twin. */
  place(place: number): string {
    return place < this.validatorsCount ? `${place}` : `${this.indexOf(place)}'`;
  }

  /** `nodes 0, 1, 3`; `all nodes`; `nobody`. */
  places(places: Iterable<number>): string {
    const sorted = [...places].sort((a, b) => a - b).map((place) => this.place(place));
    if (sorted.length === 0) return 'nobody';
    if (sorted.length > 2 && sorted.length === this.validatorsCount + this.#twins.length) return 'all nodes';
    return `${sorted.length === 1 ? 'node' : 'nodes'} ${sorted.join(', ')}`;
  }

  leaderOf(epoch: number, view: number): number {
    return (epoch + view) % this.validatorsCount;
  }

  /** Remembers what a block is, so that it can be told when it gets its letter. */
  meet(block: Block): void {
    const name = toHex(block.digest);
    if (!this.#blocks.has(name)) this.#blocks.set(name, block);
  }

  isNamed(digest: Hash): boolean {
    return this.#letters.has(toHex(digest));
  }

  block(digest: Hash): string {
    const name = toHex(digest);
    let letters = this.#letters.get(name);
    if (letters === undefined) {
      letters = lettersOf(this.#letters.size);
      this.#letters.set(name, letters);
    }
    return letters;
  }

  /** `height 2 on A, lists batch 3/1`; empty when nobody has shown the block. */
  describe(digest: Hash): string {
    const block = this.#blocks.get(toHex(digest));
    if (block === undefined) return '';
    const { header, batches, evidence } = block;
    const parent = header.height === 1 ? 'the genesis' : this.block(header.parent);
    return `height ${header.height} on ${parent}, ${listText(batches)}${accusationText(evidence)}`;
  }
}

/** A, B, ... Z, AA, AB, ... */
function lettersOf(index: number): string {
  const rest = index >= 26 ? lettersOf(Math.floor(index / 26) - 1) : '';
  return rest + String.fromCharCode(65 + (index % 26));
}

/** Whom the proofs in a block's body accuse, as they say themselves. */
function accusationText(evidence: readonly Uint8Array[]): string {
  if (evidence.length === 0) return '';
  const accused = evidence.map((bytes) => {
    const proof = decodeFaultProof(bytes);
    return proof.ok ? `node ${proof.value.accused}` : 'nobody';
  });
  return `, proves ${accused.join(' and ')} faulty`;
}

function listText(batches: readonly BatchReference[]): string {
  if (batches.length === 0) return 'empty';
  if (batches.length > 4) return `lists ${batches.length} batches`;
  const names = batches.map(({ author, seq }) => `${author}/${seq}`);
  return `lists ${names.length === 1 ? 'batch' : 'batches'} ${names.join(', ')}`;
}

const decoder = new TextDecoder();

/** `batch 3/1 "one", "two"`: author, number, and the transactions where they are few words. */
export function batchText({ header, transactions }: Pick<Batch, 'header' | 'transactions'>): string {
  const texts = transactions.map((bytes) => decoder.decode(bytes));
  const isReadable = texts.length <= 3 && texts.every((text) => /^[\x20-\x7e]{1,40}$/.test(text));
  const what = isReadable ? texts.map((text) => `"${text}"`).join(', ') : `of ${texts.length} transactions`;
  return `batch ${header.author}/${header.seq} ${what}`;
}
