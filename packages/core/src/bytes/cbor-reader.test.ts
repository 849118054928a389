/** The reader and the writer as hot paths use them, item by item; what they do for whole values is in cbor.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CborFault, CborReader, readCbor } from './cbor-reader.ts';
import { CborWriter } from './cbor-writer.ts';
import { fromHex, toHex } from './hex.ts';

const readerOf = (hex: string): CborReader => new CborReader(fromHex(hex.replaceAll(' ', ''))!);

/** The code a read is refused with, and the offset. */
function refusal(hex: string, read: (reader: CborReader) => unknown): string {
  const result = readCbor(() => read(readerOf(hex)));
  return result.ok ? 'read' : `${result.error.code} at ${result.error.offset}`;
}

describe('a reader', () => {
  test('turns faults into errors, and lets every other exception pass', () => {
    assert.deepEqual(
      readCbor(() => {
        throw new CborFault('cbor.type', 'wrong', 3);
      }),
      { ok: false, error: { code: 'cbor.type', message: 'wrong (at byte 3)', offset: 3 } },
    );
    const buggy = (): never => {
      throw new RangeError('a bug');
    };
    assert.throws(() => readCbor(buggy), RangeError);
  });

  test('reads nothing behind its end, though bytes follow there', () => {
    const reader = new CborReader(Uint8Array.of(1, 2, 3), 1, 2);
    assert.equal(reader.peekMajor(), 0);
    assert.equal(reader.readUint(), 2);
    const fault = { error: { code: 'cbor.truncated', message: /should begin/, offset: 2 } };
    for (const read of ['peekByte', 'peekMajor', 'readUint', 'readInteger', 'readText', 'readNull'] as const)
      assert.throws(
        () => reader[read](),
        (thrown) => thrown instanceof CborFault && thrown.error.code === fault.error.code && thrown.error.offset === 2,
        read,
      );
    reader.finish();
  });

  test('reads integers where they may be large, and refuses large ones where they may not', () => {
    assert.equal(readerOf('00').readUint(), 0);
    assert.equal(readerOf('1b001fffffffffffff').readUint(), Number.MAX_SAFE_INTEGER);
    assert.equal(
      refusal('1b0020000000000000', (reader) => reader.readUint()),
      'cbor.range at 0',
    );
    assert.equal(
      refusal('20', (reader) => reader.readUint()),
      'cbor.type at 0',
    );
    assert.equal(readerOf('c000').readTag(), 0);
    assert.equal(
      refusal('db0020000000000000', (reader) => reader.readTag()),
      'cbor.tag at 0',
    );
  });

  test('announces no more items than bytes can hold', () => {
    assert.equal(readerOf('82 01 02').readArrayHeader(), 2);
    assert.equal(readerOf('a1 01 02').readMapHeader(), 1);
    for (const hex of ['82 01', '9b 0020000000000000', '81'])
      assert.equal(
        refusal(hex, (reader) => reader.readArrayHeader()),
        'cbor.truncated at 0',
        hex,
      );
    for (const hex of ['a2 01 02 03', 'bb 0020000000000000', 'a1 01'])
      assert.equal(
        refusal(hex, (reader) => reader.readMapHeader()),
        'cbor.truncated at 0',
        hex,
      );
  });

  test('says which type it found instead of another', () => {
    const refused = readCbor(() => readerOf('80').readText());
    assert.equal(!refused.ok && refused.error.message, 'expected a text, found an array (at byte 0)');
    for (const read of ['readBoolean', 'readNull', 'readBytes', 'readArrayHeader', 'readTag'] as const)
      assert.equal(
        refusal('61 61', (reader) => reader[read]()),
        'cbor.type at 0',
        read,
      );
  });

  test('reads over a text as far as it reads one, and refuses the same', () => {
    const texts = ['60', '61 61', '62 c280', '63 e6b0b4', '64 61c3bc62', `7831 ${'61'.repeat(49)}`];
    for (const hex of [...texts, '61 80', '62 c328', '62 61ff', '62 61', `7831 ${'61'.repeat(48)}c3`, '41 61']) {
      const outcome = (read: (reader: CborReader) => unknown): string | number => {
        const reader = readerOf(`${hex} 00`);
        const result = readCbor(() => read(reader));
        return result.ok ? reader.offset : result.error.code;
      };
      assert.equal(
        outcome((reader) => reader.skipText()),
        outcome((reader) => reader.readText()),
        hex,
      );
    }
    assert.equal(
      refusal('00', (reader) => reader.skipText()),
      'cbor.type at 0',
    );
    assert.equal(
      refusal('61 80', (reader) => reader.skipText()),
      'cbor.utf8 at 0',
    );
  });
});

describe('a writer', () => {
  test('grows as needed, byte for byte', () => {
    const writer = new CborWriter();
    const written: number[] = [];
    for (let i = 0; i < 3_000; i++) {
      writer.writeUint(i % 24);
      written.push(i % 24);
      if (i % 5 === 0) writer.writeNull();
      if (i % 5 === 0) written.push(0xf6);
      if (i % 7 === 0) writer.writeText('ab');
      if (i % 7 === 0) written.push(0x62, 0x61, 0x62);
    }
    assert.deepEqual(writer.finish(), Uint8Array.from(written));
  });

  test('holds any item at the edge of its memory', () => {
    for (let size = 240; size <= 260; size++) {
      const writer = new CborWriter();
      const filler = new Uint8Array(size);
      writer.writeRaw(filler);
      writer.writeBoolean(true);
      writer.writeUint(2n ** 64n - 1n);
      writer.writeInteger(-1);
      assert.equal(toHex(writer.finish().subarray(size)), 'f51bffffffffffffffff20', `${size} bytes before`);
    }
  });

  test('is empty after it was finished or cleared, and gives away copies only', () => {
    const writer = new CborWriter();
    writer.writeUint(1);
    const first = writer.finish();
    writer.writeUint(2);
    assert.deepEqual([first, writer.finish()], [Uint8Array.of(1), Uint8Array.of(2)]);
    writer.writeUint(3);
    writer.clear();
    assert.deepEqual(writer.finish(), new Uint8Array(0));
  });

  test('writes counts and tags that are none never', () => {
    for (const count of [-1, 0.5, Number.NaN, 2 ** 53])
      assert.throws(() => new CborWriter().writeArrayHeader(count), /a safe integer/, `${count}`);
  });
});
