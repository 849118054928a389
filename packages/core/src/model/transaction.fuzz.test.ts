import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CborKey, decodeCbor, type Encodable, encodeCbor, Tagged } from '../bytes/cbor.ts';
import { decodeCoseSign1, encodeSigStructure } from '../bytes/cose.ts';
import { roundDecimal } from '../bytes/decimal.ts';
import { toHex } from '../bytes/hex.ts';
import { decodePayload } from '../bytes/payload.ts';
import { fuzzSettings } from '../bytes/testing/fuzz.ts';
import type { Signer } from '../crypto/verifier.ts';
import { signTransaction } from './sign-transaction.ts';
import { decodeTransaction, readingsOf } from './transaction.ts';

const signer: Signer = {
  algorithm: 'ed25519',
  publicKey: new Uint8Array(32),
  kid: new Uint8Array(8),
  sign: () => new Uint8Array(64),
};

const number: fc.Arbitrary<Encodable> = fc.oneof(
  fc.integer(),
  fc.constantFrom(1_700_000_000, 268_435_455, 268_435_456, 253_402_300_799),
  fc
    .tuple(fc.integer({ min: -402, max: 402 }), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }))
    .map(([exponent, mantissa]) => new Tagged<Encodable>(4, [exponent, mantissa])),
);
const time = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -5, max: 5 }) }, { weight: 1, arbitrary: number });
const baseTime = fc.oneof({ weight: 8, arbitrary: fc.constant(1_700_000_000) }, { weight: 1, arbitrary: number });
const fields: { readonly [label: number]: fc.Arbitrary<Encodable> } = {
  [-6]: number,
  [-5]: number,
  [-4]: fc.constantFrom('V', ''),
  [-3]: baseTime,
  [-2]: fc.constantFrom('', 'urn:x:', 'acme/p/'),
  [-1]: fc.constant(10),
  0: fc.constantFrom('', 'a', 'temp', 'b', 'c', 'd'),
  1: fc.constant('Cel'),
  2: number,
  3: fc.string({ maxLength: 5 }),
  4: fc.boolean(),
  5: number,
  6: time,
  7: number,
  8: fc.uint8Array({ maxLength: 5 }),
};
/** Mostly one value, seldom none or two. */
const record = fc
  .tuple(
    fc.constantFrom(2, 2, 3, 4, 8, 5),
    fc.subarray([-6, -5, -4, -3, -2, -1, 0, 1, 5, 6, 7]),
    fc.constantFrom(...new Array(20).fill(6), 2, 3),
  )
  .chain(([value, others, rare]) =>
    fc.tuple(
      ...[...new Set([value, ...others, rare])].map((label) =>
        fields[label]!.map((field): [CborKey, Encodable] => [label, field]),
      ),
    ),
  )
  .map((entries) => new Map(entries));
const pack = fc.array(record, { minLength: 1, maxLength: 5 }).map((records) => encodeCbor(records));

const transaction = fc
  .record({ senml: pack, issuedSeconds: fc.constantFrom(undefined, 1_700_000_000), hasOperations: fc.boolean() })
  .map(({ senml, issuedSeconds, hasOperations }) =>
    signTransaction(
      {
        ledgerHash: new Uint8Array(32),
        counter: 1n,
        senml,
        issuedSeconds,
        operations: hasOperations ? [[0, 'a', 1n]] : [],
      },
      signer,
    ),
  );

const edited = fc
  .tuple(transaction, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }))
  .map(([bytes, edits]) => {
    for (const [at, byte] of edits) bytes[at % (bytes.length - 66)] = byte;
    return bytes;
  });

test('whatever is decoded is a strict COSE message, and all its readings can be read', () => {
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(transaction, edited, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const decoded = decodeTransaction(bytes);
      if (!decoded.ok) {
        assert.match(decoded.error.code, /^tx\./);
        return;
      }
      accepted++;
      const { body, summary, payload, signedBytes } = decoded.value;
      const cose = decodeCoseSign1(bytes);
      assert.ok(cose.ok);
      assert.deepEqual(signedBytes, encodeSigStructure(cose.value.protectedBytes, payload));
      const header = decodeCbor(cose.value.protectedBytes);
      assert.ok(header.ok && toHex(encodeCbor(header.value)) === toHex(cose.value.protectedBytes));
      if (body.senml === undefined) return;
      assert.ok(decodePayload(body.senml).ok, 'a pack is in the payload profile');
      const readings = readingsOf(decoded.value, 'acme/pump');
      const times = readings.map(({ timeMs }) => timeMs);
      // Milliseconds come by a fast path where they are whole: it must be the exact one's result.
      assert.deepEqual(
        readings.map(({ time }) => roundDecimal(time, 3)),
        times.map(BigInt),
      );
      assert.deepEqual(
        [summary!.readingsCount, summary!.timeMinMs, summary!.timeMaxMs],
        [readings.length, Math.min(...times), Math.max(...times)],
      );
      const names = [...new Set(readingsOf(decoded.value).map(({ name }) => name))];
      assert.deepEqual(summary!.names, names.slice(0, 4));
    }),
    fuzzSettings(3000),
  );
  assert.ok(accepted > 100, 'the property is not empty');
});
