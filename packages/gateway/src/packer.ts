/**
 * Collects readings of one device for a moment, so that they share one transaction: a further reading costs 16 to 25
 * bytes, a further transaction 130 and a signature at every node.
 */

import type { IncomingMessage } from './broker-link.ts';
import type { DeviceReadings } from './readings.ts';

/** Readings of one transaction that came in several messages. One message with more stays one transaction. */
const PACK_READINGS_MAX = 100;
/** Payload bytes of one pack; leaves room for the CBOR form to be longer than the JSON it came in. */
const PACK_BYTES_MAX = 16_384;
/** Messages in all packs; past it every pack is closed at once. */
const WAITING_MESSAGES_MAX = 2000;

export type PackedMessage = { readonly message: IncomingMessage; readonly content: DeviceReadings };

export type Packer = {
  add(device: string, packed: PackedMessage): void;
  /** Closes every pack now. */
  flush(): void;
};

type Pack = { messages: PackedMessage[]; readings: number; bytes: number };

/**
 * @param delayMs how long the first message of a pack may wait; 0: every message is a pack of its own
 * @param onPack gets the messages in the order they came
 */
export function createPacker(delayMs: number, onPack: (device: string, messages: PackedMessage[]) => void): Packer {
  const packs = new Map<string, Pack>();
  let waiting = 0;
  let timer: NodeJS.Timeout | null = null;

  function close(device: string): void {
    const pack = packs.get(device);
    if (pack === undefined) return;
    packs.delete(device);
    waiting -= pack.messages.length;
    onPack(device, pack.messages);
  }

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    for (const device of [...packs.keys()]) close(device);
  }

  return {
    add(device, packed) {
      const open = packs.get(device);
      const bytes = packed.message.payload.length;
      // What goes as it was sent stays alone, and in its place.
      const count = packed.content.type === 'plain' ? packed.content.readings.length : PACK_READINGS_MAX;
      const fits =
        open !== undefined && open.readings + count <= PACK_READINGS_MAX && open.bytes + bytes <= PACK_BYTES_MAX;
      if (open !== undefined && !fits) close(device);
      const pack = packs.get(device) ?? { messages: [], readings: 0, bytes: 0 };
      packs.set(device, pack);
      pack.messages.push(packed);
      pack.readings += count;
      pack.bytes += bytes;
      waiting += 1;
      if (delayMs === 0 || pack.readings >= PACK_READINGS_MAX) close(device);
      else if (waiting >= WAITING_MESSAGES_MAX) flush();
      else timer ??= setTimeout(flush, delayMs);
    },
    flush,
  };
}
