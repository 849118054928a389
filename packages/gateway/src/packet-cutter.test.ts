import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPacketCutter } from './packet-cutter.ts';

const LIMIT = 70_000;

function lengthBytes(length: number): number[] {
  const bytes: number[] = [];
  let rest = length;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

function packet(typeByte: number, restBytes: number): Buffer {
  return Buffer.concat([Buffer.from([typeByte, ...lengthBytes(restBytes)]), Buffer.alloc(restBytes, restBytes & 0xff)]);
}

function cutTo(typeByte: number, restBytes: number, full: Buffer): Buffer {
  return Buffer.concat([Buffer.from([typeByte, ...lengthBytes(restBytes)]), full.subarray(-restBytes)]);
}

test('a packet at the limit passes untouched, one byte more is cut to the limit', () => {
  const cutter = createPacketCutter(LIMIT);
  const fits = packet(0x32, LIMIT);
  assert.deepEqual(Buffer.concat(cutter.pass(fits)!), fits);
  assert.equal(cutter.cutCount, 0);
  const oversize = packet(0x32, LIMIT + 1);
  assert.deepEqual(Buffer.concat(cutter.pass(oversize)!), cutTo(0x32, LIMIT, oversize));
  assert.equal(cutter.cutCount, 1);
});

test('however the bytes are split, the same packets come out', () => {
  const packets = [packet(0x20, 2), packet(0x32, 200_000), packet(0xd0, 0), packet(0x32, 130), packet(0x3a, 100_000)];
  const expected = Buffer.concat([
    packets[0]!,
    cutTo(0x32, LIMIT, packets[1]!),
    packets[2]!,
    packets[3]!,
    cutTo(0x3a, LIMIT, packets[4]!),
  ]);
  const stream = Buffer.concat(packets);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 30 }), (steps) => {
      const cutter = createPacketCutter(LIMIT);
      const out: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn += 1) {
        const end = at + steps[turn % steps.length]!;
        out.push(...cutter.pass(stream.subarray(at, end))!);
        at = end;
      }
      assert(Buffer.concat(out).equals(expected));
    }),
    { numRuns: 30 },
  );
});

test('bytes that are no MQTT are told apart', () => {
  const cutter = createPacketCutter(LIMIT);
  assert.equal(cutter.pass(Buffer.from([0x32, 0xff, 0xff, 0xff, 0xff, 1])), null);
  assert.equal(createPacketCutter(LIMIT).pass(packet(0x20, LIMIT + 1)), null);
});
