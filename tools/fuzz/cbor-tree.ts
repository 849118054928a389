/**
 * CBOR as a tree that may be bent out of shape: heads are kept as written, so a node can announce what it does not hold. A
 * byte string whose content is CBOR itself is opened, and its length follows its content: so an edit deep inside does not
 * already fail at the outermost length.
 */

/** Argument of a head and the bytes it is written with: 0 for within the first byte, else 1, 2, 4 or 8. */
export type Head = { readonly major: number; readonly argument: bigint; readonly width: 0 | 1 | 2 | 4 | 8 };

export type Node = {
  readonly head: Head;
  /** Content of a byte string or text that was not opened. */
  readonly content: Uint8Array | null;
  /** Items of an array, keys and values of a map, the item of a tag, or what is inside an opened byte string. */
  readonly items: readonly Node[];
  /** The head says how much follows: written anew from the content, unless an edit has made it lie. */
  readonly isHonest: boolean;
};

const nodesMax = 4096;
const levelsMax = 24;

/** The tree of bytes that are one well-formed item; null for anything else. */
export function bytesToTree(bytes: Uint8Array): Node | null {
  const state = { bytes, at: 0, nodes: 0 };
  const node = readNode(state, bytes.length, 0);
  return node !== null && state.at === bytes.length ? node : null;
}

type Reading = { readonly bytes: Uint8Array; at: number; nodes: number };

function readNode(state: Reading, end: number, level: number): Node | null {
  const head = readHead(state, end);
  if (head === null || level > levelsMax || state.nodes++ > nodesMax) return null;
  const { major, argument } = head;
  if (major === 2 || major === 3) {
    if (argument > BigInt(end - state.at)) return null;
    const content = state.bytes.subarray(state.at, state.at + Number(argument));
    state.at += content.length;
    const inner = major === 2 && content.length > 2 && content[0]! >> 5 >= 4 ? bytesToTree(content) : null;
    const isOpened = inner !== null && inner.items.length > 0;
    return { head, content: isOpened ? null : content, items: isOpened ? [inner] : [], isHonest: true };
  }
  const count = major === 4 ? argument : major === 5 ? 2n * argument : major === 6 ? 1n : 0n;
  if (count > BigInt(end - state.at)) return null;
  const items: Node[] = [];
  for (let i = 0; i < Number(count); i++) {
    const item = readNode(state, end, level + 1);
    if (item === null) return null;
    items.push(item);
  }
  return { head, content: null, items, isHonest: true };
}

function readHead(state: Reading, end: number): Head | null {
  if (state.at >= end) return null;
  const initial = state.bytes[state.at++]!;
  const info = initial & 31;
  if (info < 24) return { major: initial >> 5, argument: BigInt(info), width: 0 };
  if (info > 27) return null;
  const width = (1 << (info - 24)) as 1 | 2 | 4 | 8;
  if (state.at + width > end) return null;
  let argument = 0n;
  for (let i = 0; i < width; i++) argument = (argument << 8n) | BigInt(state.bytes[state.at++]!);
  return { major: initial >> 5, argument, width };
}

export function treeToBytes(node: Node): Uint8Array {
  const parts: Uint8Array[] = [];
  writeNode(node, parts);
  return joinBytes(parts);
}

function writeNode(node: Node, parts: Uint8Array[]): number {
  const start = parts.length;
  parts.push(empty);
  let size = 0;
  if (node.content !== null) {
    parts.push(node.content);
    size += node.content.length;
  }
  for (const item of node.items) size += writeNode(item, parts);
  const head = node.isHonest ? honestHead(node, size) : node.head;
  const bytes = encodeHead(head);
  parts[start] = bytes;
  return size + bytes.length;
}

function honestHead({ head, items }: Node, size: number): Head {
  const { major } = head;
  if (major === 2 || major === 3) return shortestHead(major, BigInt(size));
  if (major === 4) return shortestHead(4, BigInt(items.length));
  return major === 5 ? shortestHead(5, BigInt(items.length >> 1)) : head;
}

export function shortestHead(major: number, argument: bigint): Head {
  const width = argument < 24n ? 0 : argument < 1n << 8n ? 1 : argument < 1n << 16n ? 2 : argument < 1n << 32n ? 4 : 8;
  return { major, argument, width };
}

function encodeHead({ major, argument, width }: Head): Uint8Array {
  const bytes = new Uint8Array(1 + width);
  if (width === 0) {
    bytes[0] = (major << 5) | Number(argument & 31n);
    return bytes;
  }
  bytes[0] = (major << 5) | (24 + Math.log2(width));
  let rest = argument;
  for (let i = width; i > 0; i--) {
    bytes[i] = Number(rest & 255n);
    rest >>= 8n;
  }
  return bytes;
}

export function countNodes(node: Node): number {
  let count = 1;
  for (const item of node.items) count += countNodes(item);
  return count;
}

/** The `index`-th node in the order they are written. */
export function nodeAt(node: Node, index: number): Node {
  let left = index;
  const find = (at: Node): Node | null => {
    if (left-- === 0) return at;
    for (const item of at.items) {
      const found = find(item);
      if (found !== null) return found;
    }
    return null;
  };
  return find(node) ?? node;
}

/** A copy in which the `index`-th node is replaced by what `edit` makes of it: none, one or several nodes. */
export function editAt(node: Node, index: number, edit: (node: Node) => readonly Node[]): Node {
  let left = index;
  const visit = (at: Node): readonly Node[] => {
    if (left-- === 0) return edit(at);
    let items: Node[] | null = null;
    for (let i = 0; i < at.items.length && left >= 0; i++) {
      const before = at.items[i]!;
      const after = visit(before);
      if (after.length === 1 && after[0] === before) continue;
      items = [...at.items.slice(0, i), ...after, ...at.items.slice(i + 1)];
      break;
    }
    return items === null ? [at] : [{ ...at, items }];
  };
  return visit(node)[0] ?? node;
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const empty = new Uint8Array(0);
