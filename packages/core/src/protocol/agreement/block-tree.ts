/**
 * The chain of protocol.md section 3, as far as it is open: blocks a replica knows, by digest, and the floors of the chain each stands on. Blocks below the last finalized one are
 * dropped once they are executed.
 */
import type { Block } from '../../model/block.ts';
import type { Hash, Height } from '../../model/brands.ts';
import { type Floors, floorsAfter } from '../batches/listing.ts';
import { nameOf } from '../digest-name.ts';
import { type Accused, accusedAfter, type EvidenceReader } from '../guard/block-evidence.ts';

/** What a child needs to know of its parent: of a block held here, or of the one the chain started from. */
export type ChainTip = {
  readonly digest: Hash;
  readonly height: Height;
  readonly timeMs: number;
  readonly isBoundary: boolean;
};

/** What the blocks of one chain have used up: nothing at or below a floor is listed again, nobody is accused twice. */
export type ChainMarks = { readonly floors: Floors; readonly accused: Accused };

export class BlockTree {
  readonly #blocks = new Map<string, Block>();
  readonly #marks = new Map<string, ChainMarks>();
  readonly #proofsIn: EvidenceReader;
  /** The highest finalized block known in full, or the genesis. */
  root: ChainTip;
  #rootMarks: ChainMarks;
  /** Raised whenever an answer given before could be another one now. */
  version = 0;

  constructor(root: ChainTip, marks: ChainMarks, proofsIn: EvidenceReader) {
    this.root = root;
    this.#rootMarks = marks;
    this.#proofsIn = proofsIn;
  }

  /** Whom the finalized chain accuses. */
  get rootAccused(): Accused {
    return this.#rootMarks.accused;
  }

  add(block: Block): void {
    const name = nameOf(block.digest);
    if (this.#blocks.has(name)) return;
    this.#blocks.set(name, block);
    this.version++;
  }

  has(digest: Hash): boolean {
    return this.#blocks.has(nameOf(digest));
  }

  get(digest: Hash): Block | undefined {
    return this.#blocks.get(nameOf(digest));
  }

  tip(digest: Hash): ChainTip | null {
    if (nameOf(digest) === nameOf(this.root.digest)) return this.root;
    const block = this.get(digest);
    return block === undefined ? null : tipOf(block);
  }

  /** What the chain that ends with this block has used up; null while an ancestor is unknown. */
  marksAt(digest: Hash): ChainMarks | null {
    const name = nameOf(digest);
    if (name === nameOf(this.root.digest)) return this.#rootMarks;
    const known = this.#marks.get(name);
    if (known !== undefined) return known;
    const block = this.#blocks.get(name);
    if (block === undefined || block.header.height <= this.root.height) return null;
    const parent = this.marksAt(block.header.parent);
    if (parent === null) return null;
    const marks = this.#marksAfter(parent, block);
    this.#marks.set(name, marks);
    return marks;
  }

  #marksAfter({ floors, accused }: ChainMarks, block: Block): ChainMarks {
    return { floors: floorsAfter(floors, block), accused: accusedAfter(accused, this.#proofsIn(block)) };
  }

  /**
   * Blocks from the root (exclusive) to this one, in order; `missing` names the first unknown ancestor instead, and the
   * height it would have where that is known. Null when the block does not stand on the root.
   */
  pathFromRoot(digest: Hash): { blocks: Block[] } | { missing: Hash; height: Height | null } | null {
    const blocks: Block[] = [];
    let at = digest;
    let height: Height | null = null;
    const root = nameOf(this.root.digest);
    while (nameOf(at) !== root) {
      const block = this.get(at);
      if (block === undefined) return { missing: at, height };
      if (block.header.height <= this.root.height) return null;
      blocks.push(block);
      height = (block.header.height - 1) as Height;
      at = block.header.parent;
    }
    return { blocks: blocks.reverse() };
  }

  /** Moves the root to a finalized child of it. */
  advance(block: Block): void {
    this.#rootMarks = this.#marksAfter(this.#rootMarks, block);
    this.root = tipOf(block);
    this.version++;
  }

  /** Forgets blocks at or below a height that nobody here needs again. */
  prune(height: Height): void {
    for (const [name, block] of this.#blocks) {
      if (block.header.height <= height) {
        this.#blocks.delete(name);
        this.#marks.delete(name);
        this.version++;
      }
    }
  }

  /** Forgets blocks above the root that are none of these: nothing finalized from now on can stand on them. */
  retain(named: ReadonlySet<string>): void {
    for (const [name, block] of this.#blocks) {
      if (block.header.height <= this.root.height || named.has(name)) continue;
      this.#blocks.delete(name);
      this.#marks.delete(name);
      this.version++;
    }
  }

  blocks(): Iterable<Block> {
    return this.#blocks.values();
  }
}

function tipOf(block: Block): ChainTip {
  const { height, timeMs, nextSet } = block.header;
  return { digest: block.digest, height, timeMs, isBoundary: nextSet !== null };
}
