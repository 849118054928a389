import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createCounters, createHistogram, metricDefinitions, metricsText, processSamples } from './metrics.ts';

test('plain numbers become Prometheus text with help and type', async () => {
  const text = await metricsText([{ epoch: 3, blocks_total: 7 }, { mode: [{ labels: { mode: 'active' }, value: 1 }] }]);
  assert.match(text, /# HELP cairn_epoch Present validator set\.\n# TYPE cairn_epoch gauge\ncairn_epoch 3\n/);
  assert.match(text, /# TYPE cairn_blocks_total counter\ncairn_blocks_total 7\n/);
  assert.match(text, /cairn_mode\{mode="active"\} 1\n/);
});

test('a histogram counts cumulatively, and survives being posted to another thread', async () => {
  const histogram = createHistogram([0.1, 1]);
  for (const seconds of [0.05, 0.1, 0.5, 3]) histogram.observe(seconds);
  const text = await metricsText([{ finality_seconds: structuredClone(histogram.sample()) }]);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.deepEqual(lines, [
    'cairn_finality_seconds_bucket{le="0.1"} 2',
    'cairn_finality_seconds_bucket{le="1"} 3',
    'cairn_finality_seconds_bucket{le="+Inf"} 4',
    'cairn_finality_seconds_sum 3.65',
    'cairn_finality_seconds_count 4',
  ]);
});

test('samples of several threads stand side by side, and label values are escaped', async () => {
  const counters = createCounters();
  counters.add('tx.replayed');
  counters.add('tx.replayed', 2);
  const text = await metricsText([
    { thread_heap_bytes: [{ labels: { thread: 'edge' }, value: 1 }], transactions_total: counters.samples('code') },
    { thread_heap_bytes: [{ labels: { thread: 'a"b\n' }, value: 2 }] },
  ]);
  assert.match(text, /cairn_thread_heap_bytes\{thread="edge"\} 1\ncairn_thread_heap_bytes\{thread="a\\"b\\n"\} 2\n/);
  assert.match(text, /cairn_transactions_total\{code="tx\.replayed"\} 3\n/);
});

test('every metric is named by the rules of Prometheus', () => {
  for (const [name, { type, help }] of Object.entries(metricDefinitions)) {
    assert.match(name, /^[a-z][a-z_]*$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.ok(help.endsWith('.'), name);
  }
});

test('a label that is not defined is our own mistake', async () => {
  await assert.rejects(metricsText([{ mode: [{ labels: { mood: 'good' }, value: 1 }] }]), /labels mood/);
});

test('the process tells its memory and time', () => {
  assert.ok((processSamples().process_resident_bytes as number) > 1_000_000);
});
