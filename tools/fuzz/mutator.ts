/**
 * Makes hostile bytes of good ones: a few edits each, on the bytes or on the CBOR they are. Every input is a function of
 * the random source alone, so a seed and a number name it.
 */
import type { Random } from '../../packages/sim/src/random.ts';
import {
  bytesToTree,
  countNodes,
  editAt,
  type Head,
  joinBytes,
  type Node,
  nodeAt,
  shortestHead,
  treeToBytes,
} from './cbor-tree.ts';

export type Corpus = {
  readonly entries: readonly Uint8Array[];
  /** The trees of those that are CBOR. */
  readonly trees: readonly Node[];
};

export function createCorpus(entries: readonly Uint8Array[]): Corpus {
  if (entries.length === 0) throw new Error('a corpus has at least one entry');
  return { entries, trees: entries.map(bytesToTree).filter((tree) => tree !== null) };
}

/** Limits up to this are met now and then. */
const paddedMax = 1 << 18;

/** One input: mostly mutants, now and then an entry as it is. At most `sizeMax` bytes; now and then exactly as many. */
export function drawInput(random: Random, corpus: Corpus, sizeMax: number): Uint8Array {
  const editsCount = random.pick([0, 1, 1, 1, 2, 2, 3, 5, 8]);
  let bytes: Uint8Array;
  if (corpus.trees.length > 0 && random.chance(0.6)) {
    let tree = random.pick(corpus.trees);
    for (let i = 0; i < editsCount; i++) tree = editTree(random, tree, corpus.trees);
    bytes = treeToBytes(tree);
    if (random.chance(0.15)) bytes = editBytes(random, bytes, corpus.entries);
  } else {
    bytes = random.pick(corpus.entries);
    for (let i = 0; i < editsCount; i++) bytes = editBytes(random, bytes, corpus.entries);
  }
  if (sizeMax <= paddedMax && random.chance(0.001)) bytes = joinBytes([bytes, new Uint8Array(sizeMax)]);
  return bytes.length <= sizeMax ? bytes : bytes.subarray(0, sizeMax);
}

// --- Bytes -----------------------------------------------------------------------------------------------------------

const interestingBytes = [
  0x00, 0x01, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1f, 0x20, 0x3b, 0x40, 0x5b, 0x5f, 0x60, 0x7b, 0x7f, 0x80, 0x9b,
  0x9f, 0xa0, 0xbb, 0xbf, 0xc0, 0xc2, 0xc4, 0xd2, 0xdb, 0xf4, 0xf6, 0xf7, 0xf9, 0xfb, 0xfe, 0xff, 0x0a, 0x22, 0x2c,
  0x2d, 0x2e, 0x2f, 0x3a, 0x5c, 0x65, 0x7d,
];

/** Heads that announce much and hold nothing, and nests. */
const bombs: readonly Uint8Array[] = [
  ...[0x5b, 0x7b, 0x9b, 0xbb].map((initial) => Uint8Array.of(initial, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)),
  ...[0x5b, 0x9b, 0xbb].map((initial) => Uint8Array.of(initial, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
  ...[0x5a, 0x9a, 0xba].map((initial) => Uint8Array.of(initial, 0xff, 0xff, 0xff, 0xff)),
  ...[0x81, 0xc4, 0xd2, 0x9f, 0x5b].map((initial) => new Uint8Array(64).fill(initial)),
  new TextEncoder().encode('['.repeat(64)),
  new TextEncoder().encode('{"a":'.repeat(64)),
  new TextEncoder().encode('1e999999999'),
  new TextEncoder().encode('-9007199254740993'),
  new TextEncoder().encode('\\ud800'),
  new TextEncoder().encode('"__proto__":'),
];

export function editBytes(random: Random, bytes: Uint8Array, others: readonly Uint8Array[]): Uint8Array {
  const at = random.integer(0, bytes.length);
  switch (random.integer(0, 9)) {
    case 0:
      return overwritten(bytes, at, (byte) => byte ^ (1 << random.integer(0, 7)));
    case 1:
      return overwritten(bytes, at, () => random.pick(interestingBytes));
    case 2:
      return overwritten(bytes, at, () => random.integer(0, 255));
    case 3:
      return overwritten(bytes, at, (byte) => (byte + random.pick([1, 255])) & 255);
    case 4:
      return joinBytes([
        bytes.subarray(0, at),
        randomBytes(random, random.pick([1, 1, 2, 4, 9, 40])),
        bytes.subarray(at),
      ]);
    case 5:
      return joinBytes([
        bytes.subarray(0, at),
        bytes.subarray(Math.min(bytes.length, at + random.pick([1, 1, 2, 4, 8, 33]))),
      ]);
    case 6: {
      const chunk = bytes.subarray(at, at + random.integer(1, 64));
      return joinBytes([
        bytes.subarray(0, at),
        ...new Array<Uint8Array>(random.pick([1, 1, 2, 30])).fill(chunk),
        bytes.subarray(at),
      ]);
    }
    case 7: {
      const other = random.pick(others);
      return joinBytes([bytes.subarray(0, at), other.subarray(random.integer(0, other.length))]);
    }
    case 8:
      return bytes.subarray(0, at);
    default:
      return joinBytes([
        bytes.subarray(0, at),
        random.pick(bombs),
        bytes.subarray(random.chance(0.5) ? at : bytes.length),
      ]);
  }
}

function overwritten(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  if (bytes.length === 0) return bytes;
  const index = at % bytes.length;
  const changed = bytes.slice();
  changed[index] = change(changed[index]!);
  return changed;
}

function randomBytes(random: Random, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, () => random.integer(0, 255));
}

// --- CBOR ------------------------------------------------------------------------------------------------------------

const edges: readonly bigint[] = [
  0n,
  1n,
  2n,
  23n,
  24n,
  31n,
  32n,
  63n,
  64n,
  65n,
  255n,
  256n,
  4096n,
  65_535n,
  65_536n,
  (1n << 31n) - 1n,
  1n << 31n,
  (1n << 32n) - 1n,
  1n << 32n,
  (1n << 53n) - 2n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];

const leaf = (head: Head): Node => ({ head, content: null, items: [], isHonest: false });
const simple = (initial: number): Node => leaf({ major: 7, argument: BigInt(initial & 31), width: 0 });

function editTree(random: Random, tree: Node, others: readonly Node[]): Node {
  const index = random.integer(0, countNodes(tree) - 1);
  return editAt(tree, index, (node) => editNode(random, node, others));
}

function editNode(random: Random, node: Node, others: readonly Node[]): readonly Node[] {
  const { head } = node;
  switch (random.integer(0, 11)) {
    case 0:
      // An integer or a length at an edge; of what has content the head then lies.
      return [{ ...node, head: widened(random, shortestHead(head.major, random.pick(edges))), isHonest: false }];
    case 1: {
      const argument = head.argument + random.pick([1n, -1n]);
      return [{ ...node, head: shortestHead(head.major, argument < 0n ? 0n : argument), isHonest: false }];
    }
    case 2:
      return [{ ...node, head: { ...head, major: random.integer(0, 7) }, isHonest: false }];
    case 3:
      // The same value, not in its shortest form.
      return [{ ...node, head: { ...head, width: random.pick([1, 2, 4, 8] as const) }, isHonest: false }];
    case 4:
      return [];
    case 5:
      return [node, node];
    case 6: {
      const other = random.pick(others);
      return [nodeAt(other, random.integer(0, countNodes(other) - 1))];
    }
    case 7:
      return [nested(node, random.pick([1, 1, 4, 20]), random.pick([4, 4, 6]))];
    case 8:
      return [
        random.pick([
          simple(0xf4),
          simple(0xf5),
          simple(0xf6),
          simple(0xf7),
          leaf(shortestHead(0, 0n)),
          leaf(shortestHead(1, 0n)),
        ]),
      ];
    case 9:
      return [withContent(random, node)];
    case 10: {
      if (node.items.length < 2) return [node, node];
      const items = [...node.items];
      const [a, b] = [random.integer(0, items.length - 1), random.integer(0, items.length - 1)];
      [items[a], items[b]] = [items[b]!, items[a]!];
      return [{ ...node, items }];
    }
    default: {
      if (node.items.length === 0) return [leaf(shortestHead(head.major <= 1 ? head.major : 0, random.pick(edges)))];
      const item = random.pick(node.items);
      return [{ ...node, items: [...node.items, ...new Array<Node>(random.pick([1, 2, 64, 300])).fill(item)] }];
    }
  }
}

function widened(random: Random, head: Head): Head {
  return random.chance(0.2) ? { ...head, width: 8 } : head;
}

function nested(node: Node, levels: number, major: number): Node {
  let outer = node;
  for (let i = 0; i < levels; i++)
    outer = { head: shortestHead(major, major === 6 ? 4n : 1n), content: null, items: [outer], isHonest: true };
  return outer;
}

/** A byte string or text with other content; of anything else, one in its place. */
function withContent(random: Random, node: Node): Node {
  const { content, head } = node;
  const major = head.major === 3 ? 3 : 2;
  const sizes = [0, 1, 8, 31, 32, 33, 64, 65, 255, 1024];
  let changed: Uint8Array;
  if (content === null || content.length === 0 || random.chance(0.3)) changed = randomBytes(random, random.pick(sizes));
  else if (random.chance(0.5))
    changed = overwritten(content, random.integer(0, content.length), (byte) => byte ^ (1 << random.integer(0, 7)));
  else changed = content.subarray(0, random.integer(0, content.length));
  return { head: { major, argument: 0n, width: 0 }, content: changed, items: [], isHonest: true };
}
