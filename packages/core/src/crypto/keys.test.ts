import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '../bytes/hex.ts';
import { coseAlgorithmsOf, encodeCoseKey, keyId, keyThumbprint } from './keys.ts';

const x = '65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d';
const y = '1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c';
const p256Key = fromHex(`04${x}${y}`)!;

test('the thumbprint of a P-256 key is that of RFC 9679 section 6', () => {
  assert.equal(
    toHex(keyThumbprint('p256', p256Key)),
    '496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec',
  );
  assert.equal(toHex(keyId('p256', p256Key)), '496bd8afadf307e5');
});

test('a COSE key holds the required public parameters only, in deterministic order', () => {
  assert.equal(toHex(encodeCoseKey('p256', p256Key)), `a401022001215820${x}225820${y}`);
  assert.equal(toHex(encodeCoseKey('ed25519', fromHex(x)!)), `a301012006215820${x}`);
});

test('a key of another size has no name', () => {
  assert.throws(() => keyId('ed25519', new Uint8Array(31)), /size of its algorithm/);
  assert.throws(() => keyId('p256', new Uint8Array(33)), /size of its algorithm/);
});

test('each key takes the present number of its algorithm and the older one (RFC 9864, RFC 9053)', () => {
  assert.deepEqual(coseAlgorithmsOf('ed25519'), [-19, -8]);
  assert.deepEqual(coseAlgorithmsOf('p256'), [-9, -7]);
});
