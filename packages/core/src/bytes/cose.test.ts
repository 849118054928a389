import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { describe, test } from 'node:test';
import { encodeCbor } from './cbor.ts';
import { coseLabel, decodeCoseSign1, encodeCoseSign1, encodeSigStructure, sliceSigStructure } from './cose.ts';
import { fromHex, toHex } from './hex.ts';
import { listVectors, readVector } from './testing/vectors.ts';

type KeyJson = { kty: string; crv: string; x?: string; y?: string; x_hex?: string };
type Example = {
  title: string;
  fail?: boolean;
  input: { plaintext: string; sign0?: { key: KeyJson; external?: string }; sign?: unknown };
  intermediates: { ToBeSign_hex: string };
  output: { cbor: string };
};

/** COSE algorithms whose signatures are checked here, by node:crypto. */
const curves = new Map<unknown, string>([
  [-7, 'P-256'],
  [-8, 'Ed25519'],
]);

function publicKeyOf({ kty, crv, x, y, x_hex }: KeyJson): KeyObject {
  const xText = x ?? Buffer.from(x_hex!, 'hex').toString('base64url');
  return createPublicKey({ format: 'jwk', key: { kty, crv, x: xText, ...(y === undefined ? {} : { y }) } });
}

type Verdict = 'valid' | 'bad signature' | 'other algorithm' | `refused: ${string}`;

function verdictOf(example: Example): Verdict {
  const decoded = decodeCoseSign1(fromHex(example.output.cbor)!);
  if (!decoded.ok) return `refused: ${decoded.error.code}`;
  const { key, external } = example.input.sign0!;
  const { protectedBytes, protectedHeader, payload, signature } = decoded.value;
  if (curves.get(protectedHeader.get(coseLabel.alg)) !== key.crv) return 'other algorithm';
  const signed = encodeSigStructure(protectedBytes, payload!, fromHex(external ?? '')!);
  const isEcdsa = key.crv === 'P-256';
  const keyInput = isEcdsa ? { key: publicKeyOf(key), dsaEncoding: 'ieee-p1363' as const } : publicKeyOf(key);
  return verify(isEcdsa ? 'sha256' : null, signed, keyInput, signature) ? 'valid' : 'bad signature';
}

describe('the examples of the COSE working group', () => {
  const expected: Record<string, Record<string, Verdict>> = {
    'sign1-tests': {
      'sign-fail-01.json': 'refused: cbor.tag',
      'sign-fail-02.json': 'bad signature',
      'sign-fail-03.json': 'other algorithm',
      'sign-fail-04.json': 'other algorithm',
      'sign-fail-06.json': 'bad signature',
      'sign-fail-07.json': 'bad signature',
      // Valid in COSE; the strict profile refuses alg in the unprotected header, and a message without its tag.
      'sign-pass-01.json': 'refused: cbor.not-shortest',
      'sign-pass-02.json': 'valid',
      'sign-pass-03.json': 'refused: cbor.type',
    },
    'eddsa-examples': {
      // COSE_Sign, with several signers, is another message (tag 98).
      'eddsa-01.json': 'refused: cbor.tag',
      'eddsa-02.json': 'refused: cbor.tag',
      'eddsa-sig-01.json': 'valid',
      'eddsa-sig-02.json': 'other algorithm',
    },
    'ecdsa-examples': {
      'ecdsa-01.json': 'refused: cbor.tag',
      'ecdsa-02.json': 'refused: cbor.tag',
      'ecdsa-03.json': 'refused: cbor.tag',
      'ecdsa-04.json': 'refused: cbor.tag',
      'ecdsa-sig-01.json': 'valid',
      'ecdsa-sig-02.json': 'other algorithm',
      'ecdsa-sig-03.json': 'other algorithm',
      'ecdsa-sig-04.json': 'other algorithm',
    },
  };

  for (const [folder, verdicts] of Object.entries(expected)) {
    test(`${folder}: each passes or fails as its name says, or is outside the strict profile`, (t) => {
      const names = listVectors(`cose/${folder}`);
      if (names === null) return t.skip('skipped: vectors not present');
      assert.deepEqual(names, Object.keys(verdicts));
      for (const name of names) {
        const example: Example = JSON.parse(readVector(`cose/${folder}/${name}`)!.toString());
        assert.equal(verdictOf(example), verdicts[name], name);
        assert.equal(example.fail === true && verdictOf(example) === 'valid', false, name);
      }
    });
  }

  test('have the Sig_structure that is built here, and come back from decoding', (t) => {
    const names = [
      'sign1-tests/sign-pass-02',
      'sign1-tests/sign-fail-02',
      'eddsa-examples/eddsa-sig-01',
      'ecdsa-examples/ecdsa-sig-01',
    ];
    for (const name of names) {
      const file = readVector(`cose/${name}.json`);
      if (file === null) return t.skip('skipped: vectors not present');
      const example: Example = JSON.parse(file.toString());
      const decoded = decodeCoseSign1(fromHex(example.output.cbor)!);
      assert.ok(decoded.ok);
      const { protectedBytes } = decoded.value;
      const aad = fromHex(example.input.sign0?.external ?? '')!;
      const signed = encodeSigStructure(protectedBytes, new TextEncoder().encode(example.input.plaintext), aad);
      assert.equal(toHex(signed), example.intermediates.ToBeSign_hex.toLowerCase());
      assert.equal(toHex(encodeCoseSign1(decoded.value)), example.output.cbor.toLowerCase());
    }
  });
});

describe('a COSE_Sign1', () => {
  const protectedBytes = encodeCbor(new Map([[1, -19]]));
  const signature = new Uint8Array(64).fill(7);
  const refusal = (hex: string): string => {
    const decoded = decodeCoseSign1(fromHex(hex.replaceAll(' ', ''))!);
    return decoded.ok ? 'accepted' : `${decoded.error.code}: ${decoded.error.message}`;
  };

  test('may have its payload detached', () => {
    const decoded = decodeCoseSign1(encodeCoseSign1({ protectedBytes, payload: null, signature }));
    assert.ok(decoded.ok);
    assert.equal(decoded.value.payload, null);
    assert.deepEqual(decoded.value.protectedHeader, new Map([[1, -19]]));
  });

  test('is refused with alg in the unprotected header, or a label in both', () => {
    assert.match(refusal('d284 40 a10126 40 40'), /^cbor.type: alg in the unprotected header/);
    assert.match(refusal('d284 43a10400 a10400 40 40'), /^cbor.duplicate-key: a label in both headers/);
  });

  test('is refused with a protected header that is an empty map, no map, or not strict', () => {
    assert.match(refusal('d284 41a0 a0 40 40'), /empty byte string/);
    assert.match(refusal('d284 4100 a0 40 40'), /^cbor.type: a COSE header is a map/);
    assert.match(refusal('d284 43a11800 a0 40 40'), /shortest/);
    assert.match(refusal('d284 44a1012600 a0 40 40'), /after the item/);
  });

  test('that cannot be encoded leaves nothing behind for the next one', () => {
    const parts = { protectedBytes, payload: null, signature };
    const before = [encodeCoseSign1(parts), encodeSigStructure(protectedBytes, signature)];
    for (const encodeAgain of [() => encodeCoseSign1(parts), () => encodeSigStructure(protectedBytes, signature)]) {
      assert.throws(() => encodeCoseSign1({ ...parts, unprotectedHeader: new Map([[4, '\ud800']]) }), /surrogate/);
      assert.ok(before.some((bytes) => toHex(bytes) === toHex(encodeAgain())));
    }
  });

  test('is refused with fewer or more items than four, and with anything after it', () => {
    assert.match(refusal('d283 40 a0 40'), /^cbor.type: a COSE_Sign1 has four items/);
    assert.match(refusal('d285 40 a0 40 40 40'), /four items/);
    assert.match(refusal('d284 40 a0 40 40 00'), /after the item/);
    assert.equal(refusal('d284 40 a0 40 40'), 'accepted');
  });

  test('gives the same Sig_structure sliced from its bytes as encoded from its parts', () => {
    const payload = new Uint8Array(300).fill(5);
    const message = encodeCoseSign1({ protectedBytes, payload, signature });
    const protectedEnd = 2 + 1 + protectedBytes.length;
    const sliced = sliceSigStructure(message, 2, protectedEnd, protectedEnd + 1, protectedEnd + 1 + 3 + payload.length);
    assert.deepEqual(sliced, encodeSigStructure(protectedBytes, payload));
  });
});
