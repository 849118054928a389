import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createLog } from './logging.ts';

function capture(level: 'debug' | 'info' = 'info') {
  const lines: string[] = [];
  const log = createLog({ level, base: { node: 'node-1' }, to: { write: (line: string) => void lines.push(line) } });
  return { log, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown>, lines };
}

test('a log line is an event with its facts', () => {
  const { log, last } = capture();
  log
    .child({ thread: 'edge' })
    .info('block.finalized', { height: 7, digest: new Uint8Array([1, 255]), amount: 2n ** 63n });
  const { time, ...line } = last();
  assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
  assert.deepEqual(line, {
    level: 'info',
    node: 'node-1',
    thread: 'edge',
    event: 'block.finalized',
    height: 7,
    digest: '01ff',
    amount: '9223372036854775808',
  });
});

test('what is named like a secret never gets out, however deep it lies', () => {
  const { log, lines } = capture();
  log.info('x', {
    token: 'hush-1',
    config: { secretKey: new Uint8Array([104]), http: [{ authorization: 'hush-2' }], privateKeyPem: 'hush-3' },
    headers: new Map([['cookie', 'hush-4']]),
    tokens: 3,
  });
  assert.ok(!lines[0]!.includes('hush'));
  assert.equal(lines[0]!.match(/\[left out\]/g)!.length, 5);
  assert.ok(lines[0]!.includes('"tokens":3'));
});

test('errors keep their code and stack; what is long, deep or circular is cut', () => {
  const { log, last } = capture();
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const error = Object.assign(new Error('disk'), { code: 'EIO' });
  log.error('x', {
    error,
    long: 'a'.repeat(5_000),
    bytes: new Uint8Array(1_000),
    circular,
    many: new Array(1_000).fill(1),
  });
  const line = last() as { error: Record<string, string>; long: string; bytes: string; many: number[] };
  assert.equal(line.error.code, 'EIO');
  assert.match(line.error.stack!, /logging\.test/);
  assert.equal(line.long.length, 2_003);
  assert.match(line.bytes, /^(00){64}\.\.\. \(1000 bytes\)$/);
  assert.equal(line.many.length, 32);
});

test('what is below the level is not written', () => {
  const { log, lines } = capture();
  log.debug('x');
  assert.equal(lines.length, 0);
});
