/** Counts answers by route: plain numbers, so that a request pays next to nothing for it. */
import { createHistogram, type Histogram, type LabelledSample, type MetricSamples } from '../metrics.ts';

type Answers = { readonly method: string; readonly route: string; readonly status: number; count: number };

export type HttpCounts = {
  /** @param route the route's pattern, never the path that was asked for: the number of patterns is limited */
  count(method: string, route: string, status: number, elapsedMs: number): void;
  samples(): MetricSamples;
};

export function createHttpCounts(): HttpCounts {
  const answers = new Map<string, Map<number, Answers>>();
  const times = new Map<string, Histogram>();

  function answersOf(method: string, route: string, status: number): Answers {
    const key = method === 'GET' || method === 'POST' ? route : 'other';
    let byStatus = answers.get(key);
    if (byStatus === undefined) {
      byStatus = new Map();
      answers.set(key, byStatus);
    }
    let found = byStatus.get(status);
    if (found === undefined) {
      found = { method: key === 'other' ? 'other' : method, route: key === 'other' ? 'none' : route, status, count: 0 };
      byStatus.set(status, found);
    }
    return found;
  }

  return {
    count(method, route, status, elapsedMs) {
      answersOf(method, route, status).count++;
      let time = times.get(route);
      if (time === undefined) {
        time = createHistogram();
        times.set(route, time);
      }
      time.observe(elapsedMs / 1000);
    },
    samples() {
      const requests: LabelledSample[] = [];
      for (const byStatus of answers.values()) {
        for (const { method, route, status, count } of byStatus.values()) {
          requests.push({ labels: { method, route, status: String(status) }, value: count });
        }
      }
      const seconds = Array.from(times, ([route, time]) => ({ labels: { route }, value: time.sample() }));
      return { http_requests_total: requests, http_request_seconds: seconds };
    },
  };
}
