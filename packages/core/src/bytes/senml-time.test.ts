import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Encodable, encodeCbor, Tagged } from './cbor.ts';
import { CborFault } from './cbor-reader.ts';
import { roundDecimal } from './decimal.ts';
import { timeMsMax } from './senml-label.ts';
import { PackReader } from './senml-pack.ts';
import { fuzzSettings } from './testing/fuzz.ts';
import { decimal, pack, readings, refusal } from './testing/packs.ts';

/** A pack of one reading with a double as base time, and a time as a double, an integer or milliseconds. */
function doubleTime(base: number, own = 0, kind = 'double'): Uint8Array {
  const double = (seconds: number): Uint8Array => {
    const view = new DataView(new ArrayBuffer(9));
    view.setUint8(0, 0xfb);
    view.setFloat64(1, seconds);
    return new Uint8Array(view.buffer);
  };
  const fraction = (): Encodable => new Tagged<Encodable>(4, [-3, Math.trunc(own * 1000)]);
  const time = kind === 'double' ? double(own) : encodeCbor(kind === 'integer' ? own : fraction());
  return Uint8Array.of(0x81, 0xa3, 0x02, 0x01, 0x06, ...time, 0x22, ...double(base));
}

describe('a time', () => {
  const now = 1_700_000_000_500;
  test('below 2^28 counts from now, and is refused where there is none', () => {
    assert.match(refusal(pack([[2, 1]])), /a relative time/);
    assert.match(
      refusal(
        pack([
          [6, -5],
          [2, 1],
        ]),
      ),
      /a relative time/,
    );
    assert.match(
      refusal(
        pack([
          [6, 2 ** 28 - 1],
          [2, 1],
        ]),
      ),
      /a relative time/,
    );
    assert.equal(
      refusal(
        pack([
          [6, 2 ** 28],
          [2, 1],
        ]),
      ),
      'accepted',
    );
    assert.match(
      refusal(
        pack([
          [6, decimal('268435455.9999999')],
          [2, 1],
        ]),
      ),
      /a relative time/,
    );
    assert.deepEqual(
      readings(
        pack(
          [[2, 1]],
          [
            [6, -5],
            [2, 1],
          ],
          [
            [6, decimal('0.25')],
            [2, 1],
          ],
        ),
        { nowMs: now },
      ).map(({ timeText }) => timeText),
      ['1700000000.5', '1699999995.5', '1700000000.75'],
    );
  });

  test('is absolute or relative by its sum with the base time', () => {
    assert.equal(
      readings(
        pack([
          [-3, 2 ** 28],
          [6, 0],
          [2, 1],
        ]),
      )[0]!.timeText,
      '268435456',
    );
    assert.match(
      refusal(
        pack([
          [-3, 2 ** 28],
          [6, -1],
          [2, 1],
        ]),
      ),
      /a relative time/,
    );
  });

  test('lies between 1970 and the year 9999', () => {
    assert.equal(
      refusal(
        pack([
          [6, decimal('253402300799.999')],
          [2, 1],
        ]),
      ),
      'accepted',
    );
    assert.match(
      refusal(
        pack([
          [6, 253_402_300_800],
          [2, 1],
        ]),
      ),
      /year 9999/,
    );
    assert.match(
      refusal(
        pack([
          [6, decimal('253402300799.9995')],
          [2, 1],
        ]),
      ),
      /year 9999/,
    );
    assert.match(
      refusal(
        pack([
          [6, decimal('1e18')],
          [2, 1],
        ]),
      ),
      /year 9999/,
    );
    assert.match(
      refusal(
        pack([
          [6, -2_000_000_000],
          [2, 1],
        ]),
        now,
      ),
      /year 9999/,
    );
    assert.match(
      refusal(
        pack([
          [6, 2n ** 64n - 1n],
          [2, 1],
        ]),
      ),
      /year 9999/,
    );
  });

  test('has no more digits than a time needs', () => {
    const withTime = (time: Encodable): string =>
      refusal(
        pack([
          [2, 1],
          [-3, 1_700_000_000],
          [6, time],
        ]),
      );
    assert.equal(withTime(new Tagged<Encodable>(4, [-18, 2n ** 64n - 1n])), 'accepted');
    assert.match(withTime(new Tagged<Encodable>(4, [-19, 1])), /an exponent within 18/);
    assert.match(withTime(new Tagged<Encodable>(4, [-18, new Tagged(2, new Uint8Array(9))])), /expected/);
    assert.match(withTime(new Tagged(2, new Uint8Array(1))), /an integer, a decimal fraction or a float/);
    assert.match(refusal(doubleTime(1_700_000_000, 2 ** -129)), /128 bits after the point/);
    assert.equal(refusal(doubleTime(1_700_000_000, 2 ** -128)), 'accepted');
    assert.equal(readings(doubleTime(1_700_000_000, 1.1e-17))[0]!.timeText, '1700000000');
  });

  test('that is a float, or two, is that of the exact sum, rounded', () => {
    const double = fc.oneof(
      fc.double({ min: -1e10, max: 1e10, noNaN: true }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 }).map((quarters) => quarters / 4),
      fc.constantFrom(2 ** 28, -(2 ** -22), 2 ** -22, 0.0005, 2 ** -11, 0.5, -0, 1_700_000_000.0005),
    );
    fc.assert(
      fc.property(double, double, fc.constantFrom('double', 'integer', 'fraction'), (base, own, kind) => {
        const input =
          kind === 'double'
            ? doubleTime(base, own)
            : doubleTime(base, kind === 'integer' ? Math.trunc(own) : own, kind);
        const reader = new PackReader(input, 0, input.length, 1_700_000_000_000);
        try {
          reader.next();
        } catch (fault) {
          assert.ok(fault instanceof CborFault);
          return;
        }
        assert.equal(roundDecimal(reader.exactTime().decimal, 3), BigInt(reader.timeMs));
      }),
      fuzzSettings(2000),
    );
  });

  test('is the exact sum, rounded, whatever its two parts are encoded as', () => {
    const float = (size: 2 | 4, head: number, bits: number): Uint8Array => {
      const view = new DataView(new ArrayBuffer(1 + size));
      view.setUint8(0, head);
      if (size === 2) view.setUint16(1, bits);
      else view.setUint32(1, bits);
      return new Uint8Array(view.buffer);
    };
    const fraction = (exponent: number, mantissa: number | bigint): Uint8Array =>
      encodeCbor(new Tagged<Encodable>(4, [exponent, mantissa]));
    const parts = [
      ...[0, 1, -1, 0x8001, 2 ** 28, 1_700_000_000, -1_700_000_000, 2 ** 40, 2n ** 63n, -(2n ** 60n)].map((value) =>
        encodeCbor(value),
      ),
      // Halves: 0, -0, the smallest, 1, 1.5, -2.25, 65504, 2^-14; then singles likewise.
      ...[0, 0x8000, 1, 0x8001, 0x3c00, 0x3e00, 0xc080, 0x7bff, 0x0400].map((bits) => float(2, 0xf9, bits)),
      ...[
        0, 0x80000000, 0x3f800000, 0x3fc00000, 0xc0100000, 0x4eca9f3f, 0xceca9f3f, 0x3a83126f, 0x489280ff, 0xc89280ff,
        0x2f000001,
      ].map((bits) => float(4, 0xfa, bits)),
      ...[-18, -4, -3, -2, -1, 0, 1, 5].flatMap((exponent) =>
        [0, 1, -7, 1_700_000_000_001, 10n ** 15n, 10n ** 15n + 1n, -(10n ** 16n)].map((mantissa) =>
          fraction(exponent, mantissa),
        ),
      ),
    ];
    let accepted = 0;
    for (const base of parts)
      for (const own of parts) {
        const input = Uint8Array.of(0x81, 0xa3, 0x02, 0x01, 0x06, ...own, 0x22, ...base);
        const pack = new PackReader(input, 0, input.length, 1_700_000_000_000);
        try {
          pack.next();
        } catch (fault) {
          assert.ok(fault instanceof CborFault && fault.error.message.includes('year 9999'), String(fault));
          continue;
        }
        accepted++;
        const exact = roundDecimal(pack.exactTime().decimal, 3);
        assert.equal(BigInt(pack.timeMs), exact, `${base.join()} and ${own.join()}`);
        assert.ok(exact >= 0n && exact <= BigInt(timeMsMax));
      }
    assert.ok(accepted > 1_000, `${accepted} sums are times`);
  });

  test('that is a small float counts from now, before and after it', () => {
    for (const [own, timeMs] of [
      [0.25, 1_700_000_000_750],
      [-0.25, 1_700_000_000_250],
      [2 ** 28 - 0.5, 1_968_435_456_000],
    ] as const)
      assert.equal(readings(doubleTime(0, own), { nowMs: now })[0]!.timeMs, timeMs, `${own}`);
    assert.equal(readings(doubleTime(0, 2 ** 28), { nowMs: now })[0]!.timeMs, 268_435_456_000);
  });

  test('is refused exactly where its exact sum is no time', () => {
    const edge = (mantissa: bigint, exponent: number): string =>
      refusal(
        pack([
          [2, 1],
          [6, new Tagged<Encodable>(4, [exponent, mantissa])],
        ]),
        0,
      );
    const last = BigInt(timeMsMax);
    assert.equal(edge(last * 10n, -4), 'accepted');
    assert.equal(edge(last * 10n + 4n, -4), 'accepted');
    assert.match(edge(last * 10n + 5n, -4), /year 9999/);
    assert.equal(edge(-4n, -4), 'accepted');
    assert.equal(edge(-5n, -4), 'accepted', 'halves go up, to 0');
    assert.match(edge(-6n, -4), /year 9999/);
    assert.equal(edge(0n, -3), 'accepted');
    assert.match(edge(-1n, -3), /year 9999/);
    assert.match(edge(1n, 19), /an exponent within 18/);
  });

  test('is the same instant in every encoding, rounded to whole milliseconds', () => {
    const fraction = (mantissa: number | bigint, exponent: number): Encodable =>
      new Tagged<Encodable>(4, [exponent, mantissa]);
    const times = [
      pack([
        [2, 1],
        [6, fraction(1_700_000_000_001, -3)],
      ]),
      pack([
        [2, 1],
        [6, fraction(17_000_000_000_010, -4)],
      ]),
      pack([
        [2, 1],
        [6, fraction(17_000_000_000_006n, -4)],
      ]),
      pack([
        [2, 1],
        [6, fraction(1, -3)],
        [-3, 1_700_000_000],
      ]),
      doubleTime(1_700_000_000.001),
    ];
    for (const input of times) assert.equal(readings(input)[0]!.timeMs, 1_700_000_000_001);
    assert.equal(readings(doubleTime(1_700_000_000.001))[0]!.timeText, '1700000000.001');
  });
});
