/** Base64url without padding (RFC 4648 section 5), strict: one text for every byte string. */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const digits = new Map([...alphabet].map((character, value) => [character, value]));

export function bytesToBase64url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const count = Math.min(bytes.length - i, 3) + 1;
    for (let j = 0; j < count; j++) text += alphabet[(bits >> (18 - 6 * j)) & 63];
  }
  return text;
}

/** Null for padding, other characters, a length no byte string has, and unused bits that are not zero. */
export function base64urlToBytes(text: string): Uint8Array | null {
  if (text.length % 4 === 1) return null;
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let bits = 0;
  let bitsCount = 0;
  let position = 0;
  for (const character of text) {
    const value = digits.get(character);
    if (value === undefined) return null;
    bits = ((bits << 6) | value) & 0xffff;
    bitsCount += 6;
    if (bitsCount < 8) continue;
    bitsCount -= 8;
    bytes[position++] = (bits >> bitsCount) & 0xff;
  }
  return (bits & ((1 << bitsCount) - 1)) === 0 ? bytes : null;
}
