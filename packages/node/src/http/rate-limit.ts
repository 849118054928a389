/**
 * A token bucket per client: a steady rate, with a burst saved up. Memory is bounded: when too many clients are known,
 * those whose bucket is full again are forgotten, which changes nothing for them.
 */

export type RateLimit = {
  /** Takes one; returns 0 when allowed, else after how many milliseconds one will be. */
  take(client: string, nowMs: number): number;
  /** Like `take`, without taking. */
  look(client: string, nowMs: number): number;
};

type Bucket = { level: number; atMs: number };

const CLIENTS_MAX = 10_000;

export function createRateLimit(perSecond: number, burst: number): RateLimit {
  const buckets = new Map<string, Bucket>();

  function bucketOf(client: string, nowMs: number): Bucket {
    let bucket = buckets.get(client);
    if (bucket === undefined) {
      if (buckets.size >= CLIENTS_MAX) forget(nowMs);
      bucket = { level: burst, atMs: nowMs };
      buckets.set(client, bucket);
    } else if (nowMs > bucket.atMs) {
      bucket.level = Math.min(burst, bucket.level + ((nowMs - bucket.atMs) * perSecond) / 1000);
      bucket.atMs = nowMs;
    }
    return bucket;
  }

  /** If none can be forgotten harmlessly, the one known longest is. */
  function forget(nowMs: number): void {
    const fullAfterMs = (burst / perSecond) * 1000;
    for (const [client, bucket] of buckets) if (nowMs - bucket.atMs >= fullAfterMs) buckets.delete(client);
    if (buckets.size < CLIENTS_MAX) return;
    const oldest = buckets.keys().next();
    if (!oldest.done) buckets.delete(oldest.value);
  }

  const waitMs = (level: number): number => (level >= 1 ? 0 : Math.ceil(((1 - level) * 1000) / perSecond));

  return {
    take(client, nowMs) {
      const bucket = bucketOf(client, nowMs);
      const wait = waitMs(bucket.level);
      if (wait === 0) bucket.level -= 1;
      return wait;
    },
    look: (client, nowMs) => waitMs(bucketOf(client, nowMs).level),
  };
}

/** The name under which an address is limited: the address, or its /64 for IPv6, where one host has them all. */
export function addressClient(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  if (!address.includes(':')) return address;
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7);
  const [head = '', tail = ''] = address.split('::', 2);
  const left = head.split(':').filter((group) => group !== '');
  const right = tail.split(':').filter((group) => group !== '');
  const groups = address.includes('::')
    ? [...left, ...Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0'), ...right]
    : left;
  return `${groups.slice(0, 4).join(':')}::/64`;
}
