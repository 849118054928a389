import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CborKey, decodeCbor, type Encodable, encodeCbor, Tagged } from './cbor.ts';
import { toHex } from './hex.ts';
import { fuzzSettings } from './testing/fuzz.ts';

const tags = [2, 18];
const integer = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }).map((value) => (isSafe(value) ? Number(value) : value)),
);
const text = fc.string({ unit: 'binary', maxLength: 60 });
const key: fc.Arbitrary<CborKey> = fc.oneof(integer, text);

function isSafe(value: bigint): boolean {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
}

const { value } = fc.letrec<{ value: Encodable }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    integer,
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 30 }).map((entries) => new Map(entries)),
    fc.tuple(fc.constantFrom(...tags), tie('value')).map(([tag, item]) => new Tagged(tag, item)),
  ),
}));

test('every value comes back from its encoding', () => {
  fc.assert(
    fc.property(value, (original) => {
      const decoded = decodeCbor(encodeCbor(original), { tags });
      assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
      assert.deepEqual(decoded.value, original);
    }),
    fuzzSettings(500),
  );
});

test('whatever bytes are accepted are the only encoding of their value', () => {
  const mutated = fc
    .tuple(value.map(encodeCbor), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
    .map(([bytes, edits]) => {
      for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
      return bytes as Uint8Array;
    });
  const likely = fc.array(
    fc.constantFrom(0x00, 0x18, 0x20, 0x41, 0x61, 0x81, 0xa1, 0xa2, 0xc2, 0xd2, 0xf6, 0x9f, 0xff, 0xf9),
    { maxLength: 12 },
  );
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        mutated,
        fc.uint8Array({ maxLength: 40 }),
        likely.map((list) => Uint8Array.from(list)),
      ),
      (bytes) => {
        const decoded = decodeCbor(bytes, { tags });
        if (!decoded.ok) {
          assert.match(decoded.error.code, /^cbor\./);
          assert.ok(decoded.error.offset >= 0 && decoded.error.offset <= bytes.length);
          return;
        }
        accepted++;
        assert.equal(toHex(encodeCbor(decoded.value)), toHex(bytes));
      },
    ),
    fuzzSettings(3000),
  );
  assert.ok(accepted > 50, 'the property is not empty');
});
