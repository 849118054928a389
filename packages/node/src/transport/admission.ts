/**
 * How fast strangers may knock. A handshake costs us about as much as forty signature checks, so connections are
 * admitted by a token bucket per network address and one for all together; whoever proves to be a peer gets the token
 * back. A node under such a flood still dials its peers, so their links do not depend on being admitted here.
 */
import { isIPv6 } from 'node:net';

export type AdmissionLimits = {
  /** Connections one address may open at once, and then per second. */
  readonly burstPerAddress: number;
  readonly perSecondPerAddress: number;
  readonly burstTotal: number;
  readonly perSecondTotal: number;
  /** Addresses remembered; beyond it the one seen first is forgotten. */
  readonly addressesMax: number;
};

export const ADMISSION_LIMITS: AdmissionLimits = {
  burstPerAddress: 256,
  perSecondPerAddress: 32,
  burstTotal: 1024,
  perSecondTotal: 256,
  addressesMax: 4096,
};

type Bucket = { tokens: number; atMs: number };

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #total: Bucket;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: AdmissionLimits, nowMs: number) {
    this.#limits = limits;
    this.#total = { tokens: limits.burstTotal, atMs: nowMs };
  }

  get addressCount(): number {
    return this.#buckets.size;
  }

  /** @param nowMs of a clock that never goes back */
  admit(address: string, nowMs: number): boolean {
    const { burstPerAddress, perSecondPerAddress, burstTotal, perSecondTotal } = this.#limits;
    const own = this.#bucketOf(networkOf(address), nowMs);
    refill(own, nowMs, burstPerAddress, perSecondPerAddress);
    refill(this.#total, nowMs, burstTotal, perSecondTotal);
    if (own.tokens < 1 || this.#total.tokens < 1) return false;
    own.tokens -= 1;
    this.#total.tokens -= 1;
    return true;
  }

  /** The connection was a peer's: it does not count. */
  refund(address: string): void {
    const own = this.#buckets.get(networkOf(address));
    if (own !== undefined) own.tokens = Math.min(own.tokens + 1, this.#limits.burstPerAddress);
    this.#total.tokens = Math.min(this.#total.tokens + 1, this.#limits.burstTotal);
  }

  #bucketOf(network: string, nowMs: number): Bucket {
    const known = this.#buckets.get(network);
    if (known !== undefined) return known;
    if (this.#buckets.size >= this.#limits.addressesMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    const bucket = { tokens: this.#limits.burstPerAddress, atMs: nowMs };
    this.#buckets.set(network, bucket);
    return bucket;
  }
}

function refill(bucket: Bucket, nowMs: number, burst: number, perSecond: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000);
  bucket.atMs = nowMs;
}

/** One network is one IPv4 address, or the 64 bits of an IPv6 address that a provider hands out as one. */
export function networkOf(address: string): string {
  const ipv4 = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(ipv4)) return ipv4;
  const [head = '', tail] = ipv4.replace(/%.*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':');
    while (groups.length + after.length < 8) groups.push('0');
    groups.push(...after);
  }
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
