import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CborKey, type Encodable, encodeCbor } from '../bytes/cbor.ts';
import { encodeCoseSign1, encodeSigStructure } from '../bytes/cose.ts';
import { textToDecimal } from '../bytes/decimal.ts';
import { fromHex, toHex } from '../bytes/hex.ts';
import { encodePack, type ReadingInput } from '../bytes/senml-encode.ts';
import { sha256 } from '../crypto/hash.ts';
import type { Signer } from '../crypto/verifier.ts';
import { prepareTransaction, signTransaction, type TransactionContent } from './sign-transaction.ts';
import {
  audienceOf,
  decodeTransaction,
  headerSecondsMax,
  headerTextBytesMax,
  operationsMax,
  readingsOf,
  type Transaction,
  transactionBytesMax,
  transactionEntry,
} from './transaction.ts';

const ledgerHash = new Uint8Array(32).fill(1);
const kid = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
/** Signatures are not checked when decoding, so any 64 bytes do. */
const signer: Signer = {
  algorithm: 'ed25519',
  publicKey: new Uint8Array(32),
  kid,
  sign: () => new Uint8Array(64).fill(9),
};

const reading = (text: string, seconds = 1_700_000_000): ReadingInput => ({
  name: 'temperature',
  unit: 'Cel',
  time: { mantissa: BigInt(seconds), exponent: 0 },
  value: { type: 'number', decimal: textToDecimal(text)! },
});

function packOf(...readings: ReadingInput[]): Uint8Array {
  const pack = encodePack(readings);
  assert.ok(pack.ok);
  return pack.value;
}

const content: TransactionContent = { ledgerHash, counter: 7n, senml: packOf(reading('21.50')) };

function decoded(bytes: Uint8Array): Transaction {
  const transaction = decodeTransaction(bytes);
  assert.ok(transaction.ok, transaction.ok ? '' : transaction.error.message);
  return transaction.value;
}

function refusal(bytes: Uint8Array): string {
  const transaction = decodeTransaction(bytes);
  if (transaction.ok) return 'accepted';
  assert.equal(transaction.error.code, 'tx.malformed');
  return transaction.error.message;
}

type Fields = [CborKey, Encodable][];
const claims: Fields = [
  [3, audienceOf(ledgerHash)],
  [7, new Uint8Array(8)],
];
const header: Fields = [
  [1, -19],
  [3, 112],
  [4, kid],
];

/** A transaction as somebody else's encoder might send it. */
function message(
  headerFields: Fields,
  claimFields: Fields = claims,
  payload: Uint8Array = content.senml!,
  signature = new Uint8Array(64),
): Uint8Array {
  const map = new Map<CborKey, Encodable>(headerFields);
  if (!map.has(15)) map.set(15, new Map(claimFields));
  return encodeCoseSign1({ protectedBytes: encodeCbor(map), payload, signature });
}

/** With that body. */
function bodyMessage(body: Encodable | Uint8Array): Uint8Array {
  return message(
    [
      [1, -19],
      [3, 65_001],
      [4, kid],
    ],
    claims,
    body instanceof Uint8Array ? body : encodeCbor(body),
  );
}

describe('a signed transaction', () => {
  test('decodes to what was signed', () => {
    const bytes = signTransaction(
      { ...content, expiresSeconds: 1_800_000_000, issuedSeconds: 1_700_000_001, iss: 'i', sub: 'acme/pump' },
      signer,
    );
    const transaction = decoded(bytes);
    assert.deepEqual(transaction.header, {
      alg: -19,
      contentType: 112,
      kid,
      iss: 'i',
      sub: 'acme/pump',
      audience: 'AQEBAQEBAQE',
      expiresSeconds: 1_800_000_000,
      issuedSeconds: 1_700_000_001,
      counter: 7n,
      hashEnvelope: undefined,
    });
    assert.deepEqual(transaction.payload, content.senml);
    assert.deepEqual(transaction.body, { senml: content.senml, operations: [] });
    assert.deepEqual(transaction.signature, signer.sign(bytes));
    assert.equal(transaction.summary?.readingsCount, 1);
    assert.deepEqual(
      readingsOf(transaction, 'acme/pump').map(({ name, timeText }) => [name, timeText]),
      [['acme/pump/temperature', '1700000000']],
    );
    assert.deepEqual(transactionEntry(transaction), sha256(bytes));
  });

  test('of one reading takes less than 150 bytes, each further one less than 25', () => {
    const one = signTransaction({ ...content, senml: packOf(reading('21.50')) }, signer).length;
    const two = signTransaction(
      { ...content, senml: packOf(reading('21.50'), reading('21.75', 1_700_000_060)) },
      signer,
    ).length;
    assert.equal(one, 147);
    assert.equal(two - one, 24);
  });

  test('has the same id with every signature, and another entry', () => {
    const [a, b] = [1, 2].map((byte) =>
      decoded(signTransaction(content, { ...signer, sign: () => new Uint8Array(64).fill(byte) })),
    );
    assert.deepEqual(a!.id, b!.id);
    assert.notDeepEqual(transactionEntry(a!), transactionEntry(b!));
  });

  test('is signed over the Sig_structure of COSE, whose hash is its id', () => {
    const unsigned = prepareTransaction(content, 'ed25519', kid);
    const transaction = decoded(signTransaction(content, signer));
    assert.deepEqual(unsigned.signedBytes, encodeSigStructure(unsigned.protectedBytes, content.senml!));
    assert.deepEqual(transaction.signedBytes, unsigned.signedBytes);
    assert.deepEqual(transaction.id, unsigned.id);
    assert.deepEqual(transaction.id, sha256(unsigned.signedBytes));
  });

  test('may hold operations, alone or with readings', () => {
    const operations = [
      [0, 'acme', 'eur', 5n],
      [6, new Uint8Array(32), null],
    ] as const;
    const alone = decoded(signTransaction({ ledgerHash, counter: 1n, operations }, signer));
    assert.deepEqual(alone.body, {
      senml: undefined,
      operations: [
        [0, 'acme', 'eur', 5],
        [6, new Uint8Array(32), null],
      ],
    });
    assert.equal(alone.header.contentType, 65_001);
    assert.equal(alone.summary, null);
    assert.deepEqual(readingsOf(alone), []);
    const both = decoded(signTransaction({ ...content, operations }, signer));
    assert.deepEqual(both.body.senml, content.senml);
    assert.equal(both.body.operations.length, 2);
    assert.equal(both.summary?.readingsCount, 1);
  });

  test('may hold only the hash of a document', () => {
    const hash = sha256(new Uint8Array(3));
    const transaction = decoded(
      signTransaction(
        {
          ledgerHash,
          counter: 1n,
          hashEnvelope: { hash, preimageType: 'text/plain', location: 'https://example.org/a' },
        },
        signer,
      ),
    );
    assert.deepEqual(transaction.payload, hash);
    assert.equal(transaction.header.contentType, null);
    assert.deepEqual(transaction.header.hashEnvelope, {
      preimageType: 'text/plain',
      location: 'https://example.org/a',
    });
    assert.deepEqual(transaction.body, { senml: undefined, operations: [] });
    const plain = decoded(signTransaction({ ledgerHash, counter: 1n, hashEnvelope: { hash } }, signer));
    assert.deepEqual(plain.header.hashEnvelope, { preimageType: null, location: null });
  });

  test('carries counters of all 64 bits', () => {
    for (const counter of [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) {
      assert.equal(decoded(signTransaction({ ...content, counter }, signer)).header.counter, counter);
    }
  });

  test('is a view of the bytes it came in, also of a part of them', () => {
    const bytes = signTransaction(content, signer);
    const frame = Buffer.concat([Buffer.alloc(5), bytes, Buffer.alloc(5)]);
    const inFrame = decoded(frame.subarray(5, 5 + bytes.length));
    assert.deepEqual(inFrame.id, decoded(bytes).id);
    assert.equal(inFrame.payload.buffer, frame.buffer);
    assert.deepEqual(readingsOf(inFrame), readingsOf(decoded(bytes)));
  });
});

test('the bytes of a transaction stay the same from release to release', () => {
  const operations = [[0, 'acme', 'eur', 5n]] as const;
  const bytes = signTransaction({ ...content, operations, expiresSeconds: 1_800_000_000 }, signer);
  const expected = `d2 84
    58 30 a4 01 32 03 19fde9 04 48 0102030405060708 0f a3 03 6b 4151454241514542415145 04 1a 6b49d200 07 48 0000000000000007
    a0
    58 31 a2 01 81 a4 00 6b 74656d7065726174757265 02 c4 82 21 190866 22 1a 6553f100 23 63 43656c
             02 81 84 00 64 61636d65 63 657572 05
    58 40 ${'09'.repeat(64)}`;
  assert.equal(toHex(bytes), toHex(fromHex(expected.replace(/\s/g, ''))!));
});

describe('times in readings', () => {
  const senml = packOf({ name: 't', value: { type: 'boolean', value: true } });
  test('that are relative count from iat', () => {
    const transaction = decoded(signTransaction({ ...content, senml, issuedSeconds: 1_700_000_000 }, signer));
    assert.equal(transaction.summary?.timeMinMs, 1_700_000_000_000);
    assert.equal(readingsOf(transaction)[0]!.timeText, '1700000000');
  });

  test('that are relative are refused without iat', () => {
    assert.match(refusal(signTransaction({ ...content, senml }, signer)), /relative time/);
  });
});

describe('a header', () => {
  test('is read as our own encoder writes it', () => {
    assert.equal(refusal(message(header)), 'accepted');
  });

  test('has an algorithm that keys may have', () => {
    for (const alg of [-19, -9, -8, -7]) assert.equal(refusal(message([[1, alg], ...header.slice(1)])), 'accepted');
    for (const alg of [-35, 0, -1, -257]) assert.match(refusal(message([[1, alg], ...header.slice(1)])), /alg is/);
    assert.match(refusal(message([[1, 'ES256'], ...header.slice(1)])), /expected/);
    assert.match(refusal(message(header.slice(1))), /alg \(1\) is missing/);
  });

  test('has all of its fields, of the right size, and no others', () => {
    assert.match(
      refusal(
        message([
          [1, -19],
          [3, 112],
        ]),
      ),
      /kid \(4\) is missing/,
    );
    assert.match(
      refusal(
        message([
          [1, -19],
          [3, 112],
          [4, kid.subarray(1)],
        ]),
      ),
      /kid has 8 bytes/,
    );
    assert.match(
      refusal(
        message([
          [1, -19],
          [3, 60],
          [4, kid],
        ]),
      ),
      /content type/,
    );
    assert.match(
      refusal(
        message([
          [1, -19],
          [4, kid],
        ]),
      ),
      /has a content type/,
    );
    assert.match(refusal(message([...header, [5, 1]])), /claims \(15\) is missing/);
    assert.match(refusal(message([...header, [16, 1]])), /key 16 is unknown/);
    assert.match(refusal(message([...header, [-1, 1]])), /expected/);
    assert.match(refusal(message([...header, ['x', 1]])), /expected/);
    assert.match(refusal(message([...header, [15, 1]])), /expected a map/);
  });

  test('has claims that are all known and within limits', () => {
    const withClaims = (...fields: Fields): string => refusal(message(header, [...fields, ...claims]));
    assert.equal(
      withClaims([4, headerSecondsMax], [6, 0], [1, 'i'.repeat(headerTextBytesMax - 2)], [2, '']),
      'accepted',
    );
    assert.match(withClaims([4, headerSecondsMax + 1]), /year 10000/);
    assert.match(withClaims([6, headerSecondsMax + 1]), /year 10000/);
    assert.match(withClaims([4, -1]), /expected/);
    assert.match(withClaims([1, 'i'.repeat(headerTextBytesMax)]), /at most 255/);
    assert.match(withClaims([5, 1]), /cti \(7\) is missing/);
    assert.match(withClaims([8, 1]), /key 8 is unknown/);
    assert.match(refusal(message(header, [claims[0]!])), /cti \(7\) is missing/);
    assert.match(refusal(message(header, [claims[1]!])), /aud \(3\) is missing/);
    assert.match(refusal(message(header, [[3, 'short'], claims[1]!])), /aud has 11/);
    assert.match(refusal(message(header, [claims[0]!, [7, new Uint8Array(7)]])), /cti has 8/);
  });

  test('with a hash envelope has no content type of its own, and a hash as payload', () => {
    const envelope: Fields = [
      [1, -19],
      [4, kid],
      [258, -16],
    ];
    const hash = new Uint8Array(32);
    assert.equal(refusal(message(envelope, claims, hash)), 'accepted');
    assert.equal(refusal(message([...envelope, [259, 50]], claims, hash)), 'accepted');
    assert.match(refusal(message(envelope, claims, hash.subarray(1))), /32 bytes/);
    assert.match(refusal(message([...header, [258, -16]], claims, hash)), /has a content type/);
    assert.match(
      refusal(
        message(
          [
            [1, -19],
            [4, kid],
            [258, -44],
          ],
          claims,
          hash,
        ),
      ),
      /SHA-256/,
    );
    assert.match(
      refusal(
        message(
          [
            [1, -19],
            [4, kid],
            [259, 50],
          ],
          claims,
          hash,
        ),
      ),
      /key 259 is unknown/,
    );
  });
});

describe('a body', () => {
  const records = [
    new Map<CborKey, Encodable>([
      [2, 1],
      [6, 1_700_000_000],
    ]),
  ];
  test('has readings, operations or both, and nothing else', () => {
    assert.equal(refusal(bodyMessage(new Map([[1, records]]))), 'accepted');
    assert.equal(
      refusal(
        bodyMessage(
          new Map<CborKey, Encodable>([
            [1, records],
            [2, [[0]]],
          ]),
        ),
      ),
      'accepted',
    );
    assert.match(refusal(bodyMessage(new Map())), /readings, operations or both/);
    assert.match(refusal(bodyMessage(new Map([[1, []]]))), /at least one reading/);
    assert.match(refusal(bodyMessage(new Map([[2, []]]))), /1 to 256/);
    assert.match(refusal(bodyMessage(new Map([[3, 1]]))), /key 3 is unknown/);
    assert.match(refusal(bodyMessage([1])), /expected a map/);
    assert.match(refusal(bodyMessage(fromHex('a1028181000000')!)), /after the item/);
  });

  test('has operations that are lists beginning with a code, as many as allowed', () => {
    for (const operation of [0, [], [-1], ['x'], [null], [2n ** 64n - 1n], new Map()] as Encodable[]) {
      assert.match(refusal(bodyMessage(new Map([[2, [operation]]]))), /begins with its code/);
    }
    const many = (count: number): string =>
      refusal(bodyMessage(new Map([[2, Array.from({ length: count }, () => [0])]])));
    assert.equal(many(operationsMax), 'accepted');
    assert.match(many(operationsMax + 1), /1 to 256/);
  });

  test('is strict outside the readings, and in the payload profile inside', () => {
    assert.equal(refusal(bodyMessage(fromHex('a10181a2021801061a6553f100')!)), 'accepted');
    assert.equal(refusal(bodyMessage(fromHex('a10181a2061a6553f10002f93c00')!)), 'accepted');
    assert.match(refusal(bodyMessage(fromHex('a1180181a20201061a6553f100')!)), /shortest/);
    assert.match(refusal(bodyMessage(fromHex('a10281821801 00'.replace(' ', ''))!)), /shortest/);
    assert.match(refusal(bodyMessage(fromHex('a102818200f93c00')!)), /floating/);
    assert.match(refusal(bodyMessage(fromHex('a102818200c100')!)), /tag 1/);
    assert.match(refusal(bodyMessage(fromHex('a2028181000181a20201061a6553f100')!)), /not in order/);
  });
});

describe('a message', () => {
  const good = signTransaction(content, signer);
  test('is refused cut off anywhere, and with anything after it', () => {
    for (let length = 0; length < good.length; length++) assert.notEqual(refusal(good.slice(0, length)), 'accepted');
    assert.match(refusal(Uint8Array.of(...good, 0)), /after the item/);
  });

  test('is refused with an unprotected header, a signature of another size, or no payload', () => {
    const parts = {
      protectedBytes: encodeCbor(new Map<CborKey, Encodable>([...header, [15, new Map(claims)]])),
      payload: content.senml!,
      signature: new Uint8Array(64),
    };
    assert.match(
      refusal(encodeCoseSign1({ ...parts, unprotectedHeader: new Map([[9, 1]]) })),
      /unprotected header is empty/,
    );
    assert.match(refusal(encodeCoseSign1({ ...parts, signature: new Uint8Array(63) })), /64 bytes/);
    assert.match(refusal(encodeCoseSign1({ ...parts, payload: null })), /expected a byte string/);
  });

  test('that is too large is refused unread', () => {
    const result = decodeTransaction(new Uint8Array(transactionBytesMax + 1));
    assert.equal(!result.ok && result.error.code, 'tx.too-large');
  });

  test('of the largest size is read', () => {
    const text = (length: number): Uint8Array =>
      packOf({ ...reading('0'), value: { type: 'string', text: 'x'.repeat(length) } });
    const spare = transactionBytesMax - signTransaction({ ...content, senml: text(65_000) }, signer).length;
    const bytes = signTransaction({ ...content, senml: text(65_000 + spare) }, signer);
    assert.equal(bytes.length, transactionBytesMax);
    assert.equal(refusal(bytes), 'accepted');
  });
});
