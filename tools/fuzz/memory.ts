/**
 * What decoding costs in memory, at the worst: inputs as long as a target allows, of the smallest items there are, each of
 * which becomes an object. Measured with --expose-gc, and with a small young generation: in a large one lies garbage of
 * tens of MiB that nobody has collected yet. A heap that grew by more than the bound is a crash.
 */
import process from 'node:process';
import { joinBytes, shortestHead, treeToBytes } from './cbor-tree.ts';
import type { Target } from './target.ts';

/** What a decoder may take for an input: a fixed part, and a multiple of its size. */
export const heapFixedMax = 32 << 20;
export const heapPerByteMax = 48;

export type HeapReport = { readonly target: string; readonly sizeBytes: number; readonly heapBytes: number };

/** The largest inputs are the same for every target of their kind, so they need not be of their own size. */
const sizeMax = 8 << 20;

/** @returns the input that took the most, measured against its size; null without --expose-gc */
export async function measureHeap(target: Target): Promise<HeapReport | null> {
  const { gc } = globalThis;
  if (gc === undefined) return null;
  let worst: HeapReport | null = null;
  for (const bytes of floods(Math.min(target.sizeMax, sizeMax))) {
    gc();
    const before = heapBytes();
    try {
      await target.run(bytes);
    } catch (error) {
      if (target.isDeclared?.(error) !== true) throw error;
    }
    const report = { target: target.name, sizeBytes: bytes.length, heapBytes: Math.max(0, heapBytes() - before) };
    if (worst === null || report.heapBytes > worst.heapBytes) worst = report;
  }
  return worst;
}

export function isWithinHeap({ sizeBytes, heapBytes }: HeapReport): boolean {
  return heapBytes <= heapFixedMax + heapPerByteMax * sizeBytes;
}

/** One item after the other: integers, empty strings, lists and maps, bare and within a message. */
function* floods(size: number): Iterable<Uint8Array> {
  for (const fill of [0x00, 0x40, 0x60, 0x80, 0xa0, 0xf6]) {
    const items = new Uint8Array(Math.max(0, size - 16)).fill(fill);
    const list = treeToBytes({
      head: shortestHead(4, BigInt(items.length)),
      content: null,
      items: [],
      isHonest: false,
    });
    const flood = joinBytes([list, items]);
    yield flood;
    yield joinBytes([Uint8Array.of(0x82, 15), flood]);
  }
  for (const item of ['0,', '[],', '{},', '"",'])
    yield new TextEncoder().encode(`[${item.repeat((size - 4) / item.length)}0]`);
}

function heapBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
