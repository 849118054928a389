/**
 * The transactions of a block as view.db keeps them: one blob, 16 bytes for each position, big-endian. A thousand rows of
 * their own would cost a hundred times as much to write, and twice the space.
 *
 *     Row = offset u24 | batch u8 | length u16 | code u16 | account u32 | leaf u24 | flags u8
 *
 * `code` and `account` are ids of the view's own (account 0: nobody). `leaf` counts the leaves of the block before this one;
 * all ones where there is none. `flags`: provenance in bits 0 and 1, counter used in bit 2.
 */
import { assert, type Provenance } from '@cairn-ledger/core';

export const viewRowBytes = 16;
const noLeaf = 0xffffff;
const counterUsedFlag = 4;
const provenances: readonly (Provenance | null)[] = [null, 'device-signed', 'gateway-attested'];

export type ViewRow = {
  readonly batch: number;
  readonly offset: number;
  readonly length: number;
  readonly code: number;
  readonly account: number;
  /** Null unless accepted. */
  readonly leafIndex: number | null;
  readonly isCounterUsed: boolean;
  readonly provenance: Provenance | null;
};

export function createRowWriter(count: number, firstLeaf: number) {
  const bytes = new Uint8Array(count * viewRowBytes);
  const view = new DataView(bytes.buffer);
  return {
    bytes,
    write(position: number, row: ViewRow): void {
      assert(row.offset < 2 ** 24 && row.batch < 256, 'a batch has less than 16 MiB, a block less than 256 of them');
      assert(row.length < 2 ** 16 && row.code < 2 ** 16, 'a transaction has at most 65,535 bytes');
      const leaf = row.leafIndex === null ? noLeaf : row.leafIndex - firstLeaf;
      assert(leaf >= 0 && leaf <= noLeaf, 'leaves of a block lie behind those before it');
      const flags = provenances.indexOf(row.provenance) | (row.isCounterUsed ? counterUsedFlag : 0);
      const at = position * viewRowBytes;
      view.setUint32(at, row.offset * 256 + row.batch);
      view.setUint16(at + 4, row.length);
      view.setUint16(at + 6, row.code);
      view.setUint32(at + 8, row.account);
      view.setUint32(at + 12, leaf * 256 + flags);
    },
  };
}

/** @param at offset of the row in `bytes` */
export function readViewRow(bytes: Uint8Array, at: number, firstLeaf: number): ViewRow {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, viewRowBytes);
  const [place, last] = [view.getUint32(0), view.getUint32(12)];
  const leaf = last >>> 8;
  return {
    batch: place & 0xff,
    offset: place >>> 8,
    length: view.getUint16(4),
    code: view.getUint16(6),
    account: view.getUint32(8),
    leafIndex: leaf === noLeaf ? null : firstLeaf + leaf,
    isCounterUsed: (last & counterUsedFlag) !== 0,
    provenance: provenances[last & 3] ?? null,
  };
}
