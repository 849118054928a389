import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timeTextToSeconds } from './time-text.ts';

function seconds(text: string, unit?: 's' | 'ms'): string {
  const result = timeTextToSeconds(text, unit);
  assert.ok(result.ok, text);
  return result.value;
}

test('a time without a zone is UTC', () => {
  assert.equal(seconds('2013-07-04 00:00:00'), '1372896000');
  assert.equal(seconds('2013-12-02 21:15:00'), '1386018900');
  assert.equal(seconds('2013-07-04T00:00'), '1372896000');
  assert.equal(seconds('2013-07-04'), '1372896000');
});

test('a zone shifts the time', () => {
  assert.equal(seconds('2013-07-04T00:00:00Z'), '1372896000');
  assert.equal(seconds('2013-07-04T02:00:00+02:00'), '1372896000');
  assert.equal(seconds('2013-07-03 20:30:00-0330'), '1372896000');
});

test('fractions of a second stay as written', () => {
  assert.equal(seconds('2013-07-04T00:00:00.120Z'), '1372896000.120');
  assert.equal(seconds('1372896000.123456789'), '1372896000.123456789');
});

test('bare numbers count seconds, or milliseconds where that is said', () => {
  assert.equal(seconds('1372896000'), '1372896000');
  assert.equal(seconds('1372896000500', 'ms'), '1372896000.5');
  assert.equal(seconds('1372896000000', 'ms'), '1372896000');
  assert.equal(seconds('7', 'ms'), '0.007');
});

test('what is no time is refused', () => {
  for (const text of ['', 'timestamp', '2013-02-30', '2013-13-01', '04.07.2013', '1e9', '-5', '2013-07-04 25:00:00']) {
    const result = timeTextToSeconds(text);
    assert.equal(result.ok, false, text);
    assert.equal(!result.ok && result.error.code, 'feed.bad-time');
  }
});
