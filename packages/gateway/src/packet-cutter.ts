/**
 * Bounds the memory one MQTT packet can take. A broker may deliver payloads of up to 256 MiB; the client library would
 * collect all of it before anybody could refuse it. The cutter follows the packet framing of the incoming bytes (MQTT 5,
 * section 2.1: type byte, remaining length, rest) and shortens an oversize PUBLISH to its first `restBytesMax` bytes,
 * dropping the others as they arrive. Topic and packet id stand at the front, so that the gateway can still answer and
 * acknowledge it; its payload stays longer than the gateway accepts, so that it is refused as too large.
 */

import { assert } from '@cairn-ledger/core';

const PUBLISH = 3;

/** A topic, a packet id and its length fields: what may stand before the payload in MQTT 3.1.1. */
export const PUBLISH_HEAD_BYTES_MAX = 65_535 + 4;

export type PacketCutter = {
  /** The bytes to pass on; pieces are views of `chunk` wherever nothing was cut. Null: these bytes are not MQTT. */
  pass(chunk: Uint8Array): Uint8Array[] | null;
  /** Oversize packets met so far. */
  readonly cutCount: number;
};

/** @param restBytesMax bytes of a packet after its length field that are passed on */
export function createPacketCutter(restBytesMax: number): PacketCutter {
  assert(restBytesMax > PUBLISH_HEAD_BYTES_MAX, 'topic and packet id fit below the limit');
  let header: number[] = [];
  let passBytes = 0;
  let dropBytes = 0;
  let cutCount = 0;

  return {
    get cutCount() {
      return cutCount;
    },
    pass(chunk) {
      const pieces: Uint8Array[] = [];
      let keptFrom = 0;
      let at = 0;
      while (at < chunk.length) {
        if (passBytes > 0) {
          const step = Math.min(passBytes, chunk.length - at);
          passBytes -= step;
          at += step;
          continue;
        }
        if (dropBytes > 0) {
          if (at > keptFrom) pieces.push(chunk.subarray(keptFrom, at));
          const step = Math.min(dropBytes, chunk.length - at);
          dropBytes -= step;
          at += step;
          keptFrom = at;
          continue;
        }
        // The header is held back until it is whole: an oversize packet gets another one.
        if (at > keptFrom) pieces.push(chunk.subarray(keptFrom, at));
        header.push(chunk[at] as number);
        at += 1;
        keptFrom = at;
        const length = remainingLength(header);
        if (length === null) return null;
        if (length === undefined) continue;
        const isOversize = length > restBytesMax;
        if (isOversize && (header[0] as number) >> 4 !== PUBLISH) return null;
        passBytes = isOversize ? restBytesMax : length;
        dropBytes = length - passBytes;
        if (isOversize) cutCount += 1;
        pieces.push(Uint8Array.from(isOversize ? [header[0] as number, ...encodeLength(passBytes)] : header));
        header = [];
      }
      if (at > keptFrom) pieces.push(chunk.subarray(keptFrom, at));
      return pieces;
    },
  };
}

/** The remaining length a header states; undefined while bytes are missing, null when it is longer than four bytes. */
function remainingLength(header: readonly number[]): number | undefined | null {
  let length = 0;
  for (let index = 1; index < header.length; index += 1) {
    const byte = header[index] as number;
    length += (byte & 0x7f) << (7 * (index - 1));
    if (byte < 0x80) return length;
  }
  return header.length < 5 ? undefined : null;
}

function encodeLength(length: number): number[] {
  const bytes: number[] = [];
  let rest = length;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}
