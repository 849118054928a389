import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createLinkIdentity, ed25519KeyOf } from './certificate.ts';

test('a link certificate is signed by its own key, carries it, and never expires', () => {
  const identity = createLinkIdentity(randomBytes(32));
  const certificate = new X509Certificate(identity.certificatePem);
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.equal(certificate.issuer, certificate.subject);
  assert.equal(certificate.checkIssued(certificate), true);
  assert.equal(certificate.validToDate.toISOString(), '9999-12-31T23:59:59.000Z');
  assert.deepEqual(ed25519KeyOf(certificate), identity.publicKey);
});

test('the same secret key gives the same certificate, another one another', () => {
  const secretKey = randomBytes(32);
  const identity = createLinkIdentity(secretKey);
  assert.deepEqual(createLinkIdentity(secretKey), identity);
  assert.notEqual(createLinkIdentity(randomBytes(32)).certificatePem, identity.certificatePem);
});

test('a known secret key gives the public key of RFC 8032 section 7.1', () => {
  const secretKey = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
  const publicKey = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
  assert.equal(Buffer.from(createLinkIdentity(secretKey).publicKey).toString('hex'), publicKey);
});

test('a certificate of another kind of key has no link key', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.equal(ed25519KeyOf({ publicKey } as X509Certificate), null);
  const x25519 = generateKeyPairSync('x25519');
  assert.equal(ed25519KeyOf({ publicKey: x25519.publicKey } as X509Certificate), null, 'same length, other algorithm');
});
