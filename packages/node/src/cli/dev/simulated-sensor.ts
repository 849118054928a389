/**
 * What a simulated device measures: a daily curve, a slow drift of its own, a little noise, as a cheap sensor reports it:
 * in whole steps of its resolution. Calculated from the time, so that a network that goes on shows no jump.
 */
import type { Reading } from '@cairn-ledger/sdk';

type Quantity = {
  readonly name: string;
  readonly unit: string;
  readonly middle: number;
  /** Swing of the daily curve. */
  readonly daily: number;
  readonly noise: number;
  readonly decimals: number;
};

const kinds: readonly (readonly Quantity[])[] = [
  [
    { name: 'temperature', unit: 'Cel', middle: 4.5, daily: 0.8, noise: 0.15, decimals: 2 },
    { name: 'humidity', unit: '%RH', middle: 82, daily: 4, noise: 1, decimals: 1 },
  ],
  [{ name: 'power', unit: 'W', middle: 5400, daily: 2100, noise: 120, decimals: 0 }],
  [{ name: 'level', unit: '%FL', middle: 61, daily: 9, noise: 0.2, decimals: 1 }],
  [
    { name: 'temperature', unit: 'Cel', middle: 21.5, daily: 2.4, noise: 0.1, decimals: 2 },
    { name: 'voltage', unit: 'V', middle: 230.4, daily: 1.8, noise: 0.6, decimals: 1 },
  ],
  [{ name: 'pressure', unit: 'Pa', middle: 101_325, daily: 240, noise: 12, decimals: 0 }],
];

const DAY_MS = 86_400_000;

/** @param index which device; gives its kind and its phase */
export function measure(index: number, timeMs: number): Reading[] {
  const time = `${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`;
  return kinds[index % kinds.length]!.map(({ name, unit, middle, daily, noise, decimals }, channel) => {
    const phase = (index * 7 + channel * 3) / 24;
    const curve = daily * Math.sin(2 * Math.PI * (timeMs / DAY_MS + phase));
    const drift = (daily / 4) * Math.sin(2 * Math.PI * (timeMs / (5 * 60_000) + phase));
    const jitter = noise * (Math.random() + Math.random() - 1);
    return { name, unit, time, value: { type: 'number', text: (middle + curve + drift + jitter).toFixed(decimals) } };
  });
}
