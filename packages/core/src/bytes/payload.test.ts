import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CborFault } from './cbor-reader.ts';
import { decimalToText } from './decimal.ts';
import { fromHex } from './hex.ts';
import {
  createPayloadReader,
  decodePayload,
  numberToText,
  type PayloadNumber,
  type PayloadValue,
  payloadDepthMax,
  readNumber,
  skipNumber,
} from './payload.ts';
import { fuzzSettings } from './testing/fuzz.ts';
import { readVector } from './testing/vectors.ts';

const bytes = (hex: string): Uint8Array => fromHex(hex.replaceAll(' ', ''))!;

function verdict(hex: string): string {
  const decoded = decodePayload(bytes(hex));
  return decoded.ok ? 'accepted' : decoded.error.code;
}

function decoded(hex: string): PayloadValue {
  const result = decodePayload(bytes(hex));
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

const text = (hex: string): string => numberToText(decoded(hex) as PayloadNumber);
const exactText = (hex: string): string => decimalToText((decoded(hex) as PayloadNumber).decimal);

describe('RFC 8949 appendix A', () => {
  type Case = { hex: string; decoded?: unknown };
  const verdictOf = ({ hex }: Case): string => {
    if (/^(5f|7f|9f|bf|83018202039f|83019f|826161bf)/.test(hex)) return 'cbor.indefinite';
    if (/^(f97[c-e]|f9fc|fa[7f]f[8c]|fb[7f]ff)/.test(hex)) return 'cbor.number';
    if (/^f[078]/.test(hex)) return 'cbor.simple';
    if (/^(c[01]|d[78])/.test(hex)) return 'cbor.tag';
    return 'accepted';
  };
  test('the payload profile gives every case its verdict, and the value the vector names', (t) => {
    const file = readVector('cbor/appendix_a.json');
    if (file === null) return t.skip('skipped: vectors not present');
    for (const item of JSON.parse(file.toString()) as Case[]) {
      assert.equal(verdict(item.hex), verdictOf(item), item.hex);
      if (verdictOf(item) !== 'accepted' || !('decoded' in item)) continue;
      // Negative zero is zero here (decimal.ts).
      assert.deepEqual(plain(decoded(item.hex)), Object.is(item.decoded, -0) ? 0 : item.decoded, item.hex);
    }
  });

  /** As JSON reads it: numbers as doubles. */
  function plain(value: PayloadValue): unknown {
    if (Array.isArray(value)) return value.map(plain);
    if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
    if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
    return Number(decimalToText(value.decimal));
  }
});

describe('numbers', () => {
  test('are kept exactly in every encoding', () => {
    assert.equal(text('c4 82 20 18eb'), '23.5');
    assert.equal(text('c4 82 21 19 1388'), '50.00');
    assert.equal(text('c4 82 03 01'), '1e3');
    assert.equal(text('c4 82 00 c2 49 010000000000000000'), '18446744073709551616');
    assert.equal(text('c2 49 010000000000000000'), '18446744073709551616');
    assert.equal(text('c3 41 00'), '-1');
    assert.equal(text('3b ffffffffffffffff'), '-18446744073709551616');
    assert.equal(text('fb 3fb999999999999a'), '0.1');
    assert.equal(exactText('fb 3fb999999999999a'), '0.1000000000000000055511151231257827021181583404541015625');
    assert.equal(text('fa 41b8cccd'), '23.1');
  });

  test('may be wider than they need to be', () => {
    for (const hex of [
      '1817',
      '190017',
      '1a00000017',
      '1b0000000000000017',
      'd804 82 00 17',
      'c4 9a00000002 3800 18e6',
    ]) {
      assert.equal(verdict(hex), 'accepted', hex);
    }
    assert.equal(text('1b0000000000000017'), '23');
    assert.equal(text('d804 82 00 17'), '23');
  });

  test('are refused one past their limits', () => {
    assert.equal(verdict('c4 82 19 0190 01'), 'accepted');
    assert.equal(verdict('c4 82 19 0191 01'), 'cbor.number');
    assert.equal(verdict('c4 82 39 018f 01'), 'accepted');
    assert.equal(verdict('c4 82 39 0190 01'), 'cbor.number');
    assert.equal(verdict('c4 82 1b ffffffffffffffff 01'), 'cbor.number');
    assert.equal(verdict(`c4 82 20 c2 58 40 ${'ff'.repeat(64)}`), 'accepted');
    assert.equal(verdict(`c4 82 20 c2 58 41 ${'ff'.repeat(65)}`), 'cbor.number');
  });

  test('that are not finite, or fractions of another form, are refused', () => {
    for (const hex of ['f97e00', 'fa7f800000', 'fbfff0000000000000']) assert.equal(verdict(hex), 'cbor.number', hex);
    for (const hex of ['c4 80', 'c4 83 00 01 02', 'c4 00', 'c4 82 6131 01', 'c4 82 01 f93c00', 'c4 82 f93c00 01']) {
      assert.equal(verdict(hex), 'cbor.type', hex);
    }
    assert.equal(verdict('c4 82 00 c4 82 00 01'), 'cbor.tag');
    assert.equal(verdict('c5 82 01 02'), 'cbor.tag');
  });

  test('are skipped exactly where they are read', () => {
    const likely = fc.array(
      fc.constantFrom(
        0x00,
        0x18,
        0x39,
        0xc2,
        0xc3,
        0xc4,
        0xd8,
        0x04,
        0x82,
        0x41,
        0xf9,
        0xfa,
        0xfb,
        0x7c,
        0x3c,
        0xff,
        0x01,
        0x20,
      ),
      { maxLength: 14 },
    );
    const outcome = (input: Uint8Array, read: typeof readNumber | typeof skipNumber): string | number => {
      const reader = createPayloadReader(input);
      return outcomeOf(() => read(reader, 2)) ?? reader.offset;
    };
    fc.assert(
      fc.property(likely, (list) => {
        const input = Uint8Array.from(list);
        assert.equal(outcome(input, skipNumber), outcome(input, readNumber));
      }),
      fuzzSettings(5000),
    );
  });

  test('are skipped at every level where they are read, and refused with the same code', () => {
    const numbers = [
      ...[
        '00',
        '1818',
        '20',
        '3bffffffffffffffff',
        '40',
        '60',
        '80',
        'a0',
        'e0',
        'f4',
        'f97e00',
        'f93c00',
        'fa7f800000',
      ],
      ...['fa41b8cccd', 'fb3fb999999999999a', 'fbfff0000000000000', 'fc', 'ff', 'f93c', 'fa41b8cc', 'fb3fb99999999999'],
      ...['c241ff', 'c341ff', 'c200', `c25840${'ff'.repeat(64)}`, `c25841${'ff'.repeat(65)}`, 'c100', 'd80241ff'],
      ...[
        'c4822001',
        'c48220c241ff',
        'c48220c341ff',
        `c48220c25840${'ff'.repeat(64)}`,
        `c48220c35841${'ff'.repeat(65)}`,
      ],
      ...['c48220d80241ff', 'c48220c100', 'c4822040', 'c48220c240', 'c48220c2', 'c4821901f401', 'c480', 'c4', 'c48220'],
    ];
    for (const number of numbers)
      for (let depth = 0; depth <= payloadDepthMax; depth++) {
        const [read, skipped] = [readNumber, skipNumber].map((reads) => {
          const reader = createPayloadReader(bytes(`${number}00`));
          return outcomeOf(() => reads(reader, depth)) ?? reader.offset;
        });
        assert.equal(skipped, read, `${number} at level ${depth}`);
      }
  });

  test('take up a level with a tag, with a fraction, and with the bignum in it', () => {
    const verdictAt = (hex: string, depth: number): unknown => {
      const reader = createPayloadReader(bytes(hex));
      return outcomeOf(() => readNumber(reader, depth)) ?? 'accepted';
    };
    for (const [hex, levels] of [
      ['01', 0],
      ['c24101', 1],
      ['c4820101', 2],
      ['c48201c24101', 3],
    ] as const) {
      assert.equal(verdictAt(hex, payloadDepthMax - levels), 'accepted', hex);
      if (levels > 0) assert.equal(verdictAt(hex, payloadDepthMax - levels + 1), 'cbor.depth', hex);
    }
  });
});

/** The code that a read is refused with; null when it is not. */
function outcomeOf(read: () => unknown): string | null {
  try {
    read();
    return null;
  } catch (fault) {
    if (fault instanceof CborFault) return fault.error.code;
    throw fault;
  }
}

describe('maps', () => {
  test('may have their keys in any order, but none twice, whatever its width', () => {
    assert.equal(verdict('a2 02 00 01 00'), 'accepted');
    assert.equal(verdict('a2 01 00 01 00'), 'cbor.duplicate-key');
    assert.equal(verdict('a2 01 00 1801 00'), 'cbor.duplicate-key');
    assert.equal(verdict('a2 6161 00 780161 00'), 'cbor.duplicate-key');
    assert.equal(verdict('a2 1bffffffffffffffff 00 1bffffffffffffffff 00'), 'cbor.duplicate-key');
  });
});

test('what is no value of the profile is refused with its code', () => {
  const refused: readonly (readonly [hex: string, code: string])[] = [
    ['01 01', 'cbor.trailing'],
    ['', 'cbor.truncated'],
    ['f93c', 'cbor.truncated'],
    ['fa000000', 'cbor.truncated'],
    ['fb00000000000000', 'cbor.truncated'],
    ['fc', 'cbor.reserved'],
    ['fe', 'cbor.reserved'],
    ['ff', 'cbor.indefinite'],
    ['f820', 'cbor.simple'],
    ['f7', 'cbor.simple'],
    ['a1 40 00', 'cbor.key-type'],
    ['a1 f5 00', 'cbor.key-type'],
    ['c4 82 01 f4', 'cbor.type'],
  ];
  for (const [hex, code] of refused) assert.equal(verdict(hex), code, hex);
  assert.equal(verdict('a1 20 00'), 'accepted', 'a negative key');
});

test('one level too deep is refused, of arrays, maps or tags', () => {
  assert.equal(verdict(`${'81'.repeat(payloadDepthMax - 1)}80`), 'accepted');
  assert.equal(verdict(`${'81'.repeat(payloadDepthMax)}80`), 'cbor.depth');
  assert.equal(verdict(`${'81'.repeat(payloadDepthMax - 2)} c4 82 00 01`), 'accepted');
  assert.equal(verdict(`${'81'.repeat(payloadDepthMax - 1)} c4 82 00 01`), 'cbor.depth');
  assert.equal(verdict('81'.repeat(100_000)), 'cbor.depth');
  assert.equal(verdict(`${'a100'.repeat(payloadDepthMax - 1)}a0`), 'accepted');
  assert.equal(verdict(`${'a100'.repeat(payloadDepthMax)}a0`), 'cbor.depth');
});
