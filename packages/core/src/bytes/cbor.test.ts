import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Cbor,
  type CborKey,
  cborDepthMax,
  compareKeys,
  decodeCbor,
  type Encodable,
  encodeCbor,
  Tagged,
} from './cbor.ts';
import { cborItemsMax } from './cbor-reader.ts';
import { fromHex, toHex } from './hex.ts';
import { readVector } from './testing/vectors.ts';

const bytes = (hex: string): Uint8Array => fromHex(hex.replaceAll(' ', ''))!;

function refusal(hex: string, tags: readonly number[] = []): string {
  const decoded = decodeCbor(bytes(hex), { tags });
  return decoded.ok ? 'accepted' : decoded.error.code;
}

function decoded(hex: string, tags: readonly number[] = []): Cbor {
  const result = decodeCbor(bytes(hex), { tags });
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  return result.value;
}

describe('RFC 8949 appendix A', () => {
  const file = readVector('cbor/appendix_a.json');
  type Case = { hex: string; roundtrip: boolean; decoded?: unknown; diagnostic?: string };
  /** First bytes or whole encodings that the strict profile refuses, by what it refuses them for. */
  const verdictOf = ({ hex }: Case): string => {
    if (/^(5f|7f|9f|bf|83018202039f|83019f|826161bf)/.test(hex)) return 'cbor.indefinite';
    if (/^f[9ab]/.test(hex)) return 'cbor.float';
    if (/^f[078]/.test(hex)) return 'cbor.simple';
    if (/^(c[0-3]|d[78])/.test(hex)) return 'cbor.tag';
    return 'accepted';
  };
  const cases: Case[] = file === null ? [] : JSON.parse(file.toString());

  test('the strict profile gives every case its verdict, and the value the vector names', (t) => {
    if (file === null) return t.skip('skipped: vectors not present');
    for (const item of cases) {
      assert.equal(refusal(item.hex), verdictOf(item), item.hex);
      if (verdictOf(item) !== 'accepted') continue;
      const value = decoded(item.hex);
      if ('decoded' in item) assert.deepEqual(toPlain(value), item.decoded, item.hex);
      assert.equal(toHex(encodeCbor(value)), item.hex, 'encoding again gives the same bytes');
    }
    assert.equal(cases.filter((item) => verdictOf(item) === 'accepted').length, 37);
  });

  test('bignums and other tags are read where the caller allows them', (t) => {
    if (file === null) return t.skip('skipped: vectors not present');
    assert.deepEqual(decoded('c249010000000000000000', [2]), new Tagged(2, bytes('010000000000000000')));
    assert.deepEqual(decoded('d818456449455446', [24]), new Tagged(24, bytes('6449455446')));
  });

  /** JSON has only doubles: what the vector says 2^64 - 1 is, and maps as objects. */
  function toPlain(value: Cbor): unknown {
    if (typeof value === 'bigint') return Number(value);
    if (Array.isArray(value)) return value.map(toPlain);
    if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, toPlain(item)]));
    return value;
  }
});

describe('integers', () => {
  const pairs: [Encodable, string][] = [
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [255, '18ff'],
    [256, '190100'],
    [65_535, '19ffff'],
    [65_536, '1a00010000'],
    [0xffff_ffff, '1affffffff'],
    [0x1_0000_0000, '1b0000000100000000'],
    [Number.MAX_SAFE_INTEGER, '1b001fffffffffffff'],
    [2n ** 53n, '1b0020000000000000'],
    [2n ** 64n - 1n, '1bffffffffffffffff'],
    [-1, '20'],
    [-24, '37'],
    [-25, '3818'],
    [Number.MIN_SAFE_INTEGER, '3b001ffffffffffffe'],
    [-(2n ** 53n), '3b001fffffffffffff'],
    [-(2n ** 64n), '3bffffffffffffffff'],
  ];
  test('are numbers where safe, bigints elsewhere, and come back as the same bytes', () => {
    for (const [value, hex] of pairs) {
      assert.equal(toHex(encodeCbor(value)), hex);
      assert.equal(decoded(hex), value);
    }
  });

  test('as bigint and as number are the same bytes', () => {
    assert.deepEqual(encodeCbor(5n), encodeCbor(5));
    assert.deepEqual(encodeCbor(-5n), encodeCbor(-5));
    assert.deepEqual(encodeCbor(-0), encodeCbor(0));
  });

  test('not in their shortest form are refused, at every width', () => {
    for (const hex of [
      '1817',
      '1900ff',
      '1a0000ffff',
      '1b00000000ffffffff',
      '3817',
      '3900ff',
      '5801 00',
      '780161',
      '9800',
      'b800',
    ]) {
      assert.equal(refusal(hex), 'cbor.not-shortest', hex);
    }
  });
});

describe('maps', () => {
  test('are encoded with keys sorted bytewise: integers, negative integers, then texts by length', () => {
    const map = new Map<CborKey, Encodable>([
      ['bb', 1],
      ['c', 2],
      [-1, 3],
      [100, 4],
      [-2, 5],
      [10, 6],
      ['', 7],
      [2n ** 60n, 8],
      ['é', 9],
    ]);
    const encoded = encodeCbor(map);
    assert.equal(toHex(encoded), 'a90a061864041b1000000000000000082003210560076163026262620162c3a909');
    assert.deepEqual(
      [...(decoded(toHex(encoded)) as Map<CborKey, Cbor>).keys()],
      [10, 100, 2n ** 60n, -1, -2, '', 'c', 'bb', 'é'],
    );
  });

  test('with unsorted keys are refused', () => {
    assert.equal(refusal('a2 02 00 01 00'), 'cbor.key-order');
    assert.equal(refusal('a2 6162 00 6161 00'), 'cbor.key-order');
    assert.equal(refusal('a2 20 00 01 00'), 'cbor.key-order');
  });

  test('with a key twice are refused, and never encoded', () => {
    assert.equal(refusal('a2 01 00 01 00'), 'cbor.duplicate-key');
    assert.throws(
      () =>
        encodeCbor(
          new Map<CborKey, Encodable>([
            [1, 0],
            [1n, 0],
          ]),
        ),
      /key twice/,
    );
  });

  test('have one order of keys, whoever compares', () => {
    const ordered = [0, 1, 23, 24, 255, 2n ** 53n, 2n ** 64n - 1n, -1, -2, -25, -(2n ** 60n), '', 'a', 'b', 'é', 'aaa'];
    for (const [i, a] of ordered.entries())
      for (const [j, b] of ordered.entries())
        assert.equal(Math.sign(compareKeys(a, b)), Math.sign(i - j), `${a} and ${b}`);
    assert.equal(compareKeys(-1, -1n), 0);
  });

  test('with keys that are neither integers nor texts are refused', () => {
    for (const hex of ['a1 4101 00', 'a1 80 00', 'a1 a0 00', 'a1 f5 00', 'a1 c101 00', 'a1 f93c00 00']) {
      assert.equal(refusal(hex), 'cbor.key-type', hex);
    }
  });
});

describe('texts', () => {
  test('of every length class and script come back', () => {
    for (const text of [
      '',
      'a',
      'x'.repeat(23),
      'x'.repeat(24),
      'y'.repeat(48),
      'y'.repeat(49),
      'z'.repeat(70_000),
      'Grüße',
      '\ufeffbom',
      '𐅑水',
    ]) {
      assert.equal(decoded(toHex(encodeCbor(text))), text);
    }
  });

  test('that are not valid UTF-8 are refused', () => {
    for (const hex of ['61 80', '62 c080', '63 eda080', '61 ff', '62 c3', '64 f4908080', `783f ${'61'.repeat(62)}c3`]) {
      assert.notEqual(refusal(hex), 'accepted', hex);
    }
    assert.equal(refusal('62 c080'), 'cbor.utf8');
  });

  test('with a lone surrogate are never encoded', () => {
    assert.throws(() => encodeCbor('\ud800'), /surrogate/);
  });
});

describe('what the strict profile refuses', () => {
  test('nothing, too little, and anything after the value', () => {
    assert.equal(refusal(''), 'cbor.truncated');
    for (const hex of ['18', '1901', '1a010203', '1b01020304050607', '42 01', '62 61', '82 01', 'a1 01', 'd8', 'c1']) {
      assert.equal(refusal(hex, [1]), 'cbor.truncated', hex);
    }
    assert.equal(refusal('00 00'), 'cbor.trailing');
  });

  test('lengths beyond the input, before allocating for them', () => {
    for (const hex of [
      '5b ffffffffffffffff',
      '7a ffffffff 61',
      '9b 0010000000000000',
      'ba ffffffff',
      '9a00010000 00',
    ]) {
      assert.equal(refusal(hex), 'cbor.truncated', hex);
    }
  });

  test('reserved headers, breaks, two-byte simple values, floats', () => {
    assert.equal(refusal('1c'), 'cbor.reserved');
    assert.equal(refusal('fc'), 'cbor.reserved');
    assert.equal(refusal('ff'), 'cbor.indefinite');
    assert.equal(refusal('f8ff'), 'cbor.simple');
    assert.equal(refusal('f814'), 'cbor.simple');
    assert.equal(refusal('f97e00'), 'cbor.float');
  });

  test('one level too deep, of arrays, maps or tags', () => {
    assert.equal(refusal(`${'81'.repeat(cborDepthMax - 1)}80`), 'accepted');
    assert.equal(refusal(`${'81'.repeat(cborDepthMax)}80`), 'cbor.depth');
    assert.equal(refusal(`${'81'.repeat(cborDepthMax)}a0`), 'cbor.depth');
    assert.equal(refusal(`${'c1'.repeat(cborDepthMax)}00`, [1]), 'accepted');
    assert.equal(refusal(`${'c1'.repeat(cborDepthMax + 1)}00`, [1]), 'cbor.depth');
    assert.equal(refusal('81'.repeat(1_000_000)), 'cbor.depth');
    assert.equal(refusal(`${'a100'.repeat(cborDepthMax - 1)}a0`), 'accepted');
    assert.equal(refusal(`${'a100'.repeat(cborDepthMax)}a0`), 'cbor.depth');
  });

  test('one item too many, wherever they stand', () => {
    assert.equal(decodeCbor(encodeCbor(new Array<number>(cborItemsMax).fill(0))).ok, true);
    assert.equal(refusal(toHex(encodeCbor(new Array<number>(cborItemsMax + 1).fill(0)))), 'cbor.items');
    const halves = new Array<Encodable>(2).fill(new Array<number>(cborItemsMax / 2).fill(0));
    assert.equal(refusal(toHex(encodeCbor(halves))), 'cbor.items');
    assert.equal(decodeCbor(encodeCbor(halves), { itemsMax: cborItemsMax + 2 }).ok, true);
    const map = new Map(Array.from({ length: cborItemsMax / 2 }, (_, i) => [i, i]));
    assert.equal(decodeCbor(encodeCbor(map)).ok, true);
    assert.equal(refusal(toHex(encodeCbor(map.set(-1, 0)))), 'cbor.items');
  });

  test('a tag, where the caller names none', () => {
    assert.equal(refusal('c1 00'), 'cbor.tag');
  });

  test('with the place where it begins', () => {
    const result = decodeCbor(bytes('82 01 1817'));
    assert.deepEqual(result.ok ? null : result.error.offset, 2);
  });
});

test('byte strings are plain views of the input, also over a Buffer', () => {
  const input = Buffer.from('8241aa41bb', 'hex');
  const result = decodeCbor(input);
  assert.ok(result.ok && Array.isArray(result.value));
  const view = result.value[1];
  assert.ok(view instanceof Uint8Array && !Buffer.isBuffer(view));
  assert.equal(view.buffer, input.buffer);
  assert.deepEqual(view, Uint8Array.of(0xbb));
});

test('what is too deep to be decoded, or no value of CBOR, is never encoded', () => {
  const wraps: ((inner: Encodable) => Encodable)[] = [
    (inner) => [inner],
    (inner) => new Map([[0, inner]]),
    (inner) => new Tagged(1, inner),
  ];
  for (const wrap of wraps) {
    let value: Encodable = 0;
    for (let level = 0; level < cborDepthMax; level++) value = wrap(value);
    assert.ok(decodeCbor(encodeCbor(value), { tags: [1] }).ok);
    assert.throws(() => encodeCbor(wrap(value)), /16 levels/);
  }
  for (const value of [{}, { tag: 1, value: 0 }, new Set()])
    assert.throws(() => encodeCbor(value as unknown as Encodable), /a type that CBOR has/);
});

test('fractions and integers that are not safe are never encoded', () => {
  for (const value of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53)]) {
    assert.throws(() => encodeCbor(value), /safe integer/);
  }
  assert.throws(() => encodeCbor(2n ** 64n), /64 bits/);
});
