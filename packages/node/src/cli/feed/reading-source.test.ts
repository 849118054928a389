import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Reading } from '@cairn-ledger/sdk';
import { CommandFailed } from '../exit-code.ts';
import type { SourceOptions } from './feed-options.ts';
import { formatOfPath, readItems } from './reading-source.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-source-'));
after(() => rmSync(dir, { recursive: true }));

async function read(content: string | Uint8Array, options: Partial<SourceOptions>): Promise<Reading[]> {
  const path = join(dir, 'input');
  writeFileSync(path, content);
  const readings: Reading[] = [];
  const whole: SourceOptions = { path, format: 'csv', timeUnit: 's', delimiter: ',', onBad: 'stop', ...options };
  for await (const item of readItems(whole)) readings.push(...item.readings);
  return readings;
}

const number = (text: string): Reading['value'] => ({ type: 'number', text });

test('JSON lines are objects with a time and values, whose numbers keep their text', async () => {
  const lines = [
    '{"timestamp":"2013-07-04 00:00:00","value":69.880835140,"door":false,"note":"ok","none":null}',
    '',
    '{"value":1e3,"timestamp":1372896060}',
  ];
  assert.deepEqual(await read(lines.join('\n'), { format: 'jsonl' }), [
    { name: 'value', time: '1372896000', value: number('69.880835140') },
    { name: 'door', time: '1372896000', value: { type: 'boolean', value: false } },
    { name: 'note', time: '1372896000', value: { type: 'string', text: 'ok' } },
    { name: 'value', time: '1372896060', value: number('1e3') },
  ]);
});

test('chosen fields of JSON lines get the name and unit that are given', async () => {
  const line = '{"ts":1372896000500,"t1":1.50,"t2":2}';
  const options = {
    format: 'jsonl',
    timeColumn: 'ts',
    valueColumns: ['t1'],
    name: 'temperature',
    unit: 'Cel',
    timeUnit: 'ms',
  } as const;
  assert.deepEqual(await read(line, options), [
    { name: 'temperature', unit: 'Cel', time: '1372896000.5', value: number('1.50') },
  ]);
});

test('SenML comes in as lines and as packs, JSON and CBOR, with the same readings', async () => {
  const expected = [
    { name: 'temperature', unit: 'Cel', time: '1372896000', value: number('69.88083514') },
    { name: 'temperature', unit: 'Cel', time: '1372896060.5', value: number('70.10') },
  ];
  const record = '{"bt":1372896000,"bu":"Cel","n":"temperature","v":69.88083514}';
  const pack = `[${record},{"n":"temperature","t":60.5,"v":70.10}]`;
  assert.deepEqual(await read(pack, { format: 'senml-json' }), expected);
  assert.deepEqual(await read(`${record}\n`, { format: 'jsonl' }), expected.slice(0, 1));
  assert.deepEqual(await read(`${pack}\n${pack}\n`, { format: 'jsonl' }), [...expected, ...expected]);
  // [{-3: 1372896000, -4: "Cel", 0: "temperature", 2: 4([-8, 6988083514])}]
  const cbor = '81a4221a51d4bb00236343656c006b74656d706572617475726502c482271b00000001a085b13a';
  assert.deepEqual(await read(Buffer.from(cbor, 'hex'), { format: 'senml-cbor' }), expected.slice(0, 1));
});

test('a bad line ends the command with its number', async () => {
  const bad: [Partial<SourceOptions>, string, string][] = [
    [{ format: 'csv' }, 'time,v\n2013-07-04,1\nyesterday,2\n', 'feed.bad-time'],
    [{ format: 'csv' }, 'time,v\n2013-07-04,1\n2013-07-05,warm\n', 'feed.bad-value'],
    [{ format: 'jsonl' }, '{"t":1372896000,"v1":1}\n\n{"t":', 'feed.not-json'],
  ];
  for (const [options, content, code] of bad) {
    await assert.rejects(read(content, options), (error: CommandFailed) => {
      assert.equal(error.error.code, code);
      assert.match(error.message, /record 3/);
      return error.exitCode === 2;
    });
  }
  await assert.rejects(read('[{"n":"a"}]', { format: 'senml-json' }), CommandFailed);
});

test('the format follows from the name of the file', () => {
  assert.equal(formatOfPath('a.CSV'), 'csv');
  assert.equal(formatOfPath('a.ndjson'), 'jsonl');
  assert.equal(formatOfPath('a.senml'), 'senml-json');
  assert.equal(formatOfPath('a.senmlc'), 'senml-cbor');
  assert.equal(formatOfPath('a.txt'), null);
});
