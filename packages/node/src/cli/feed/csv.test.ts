import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvFields, cutRecords, recordBytesMax } from './csv.ts';
import { csvLayoutOf, csvReadings } from './csv-readings.ts';

async function records(chunks: readonly string[], quotes = true): Promise<string[]> {
  async function* stream(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const cut: string[] = [];
  for await (const record of cutRecords(stream(), quotes)) cut.push(record.toString());
  return cut;
}

test('records are cut at line ends outside quotes, however the chunks fall', async () => {
  const text = 'a,b\n1,"x\ny"\r\n2,"say ""hi"""\nlast';
  const expected = ['a,b\n', '1,"x\ny"\r\n', '2,"say ""hi"""\n', 'last'];
  assert.deepEqual(await records([text]), expected);
  assert.deepEqual(await records([...text]), expected);
  assert.deepEqual(await records(['{"a":"\n', '"}'], false), ['{"a":"\n', '"}']);
});

test('a quote that is never closed is an error, not memory', async () => {
  await assert.rejects(records(['"', 'x'.repeat(recordBytesMax + 1)]), RangeError);
});

test('fields are unquoted', () => {
  assert.deepEqual(csvFields('\uFEFFtime,"a ""b"", c",\r\n'), ['time', 'a "b", c', '']);
  assert.deepEqual(csvFields('1;2,5', ';'), ['1', '2,5']);
});

const options = { timeUnit: 's', onBad: 'stop' } as const;

test('the columns of a file with a header are found by their titles', () => {
  const layout = csvLayoutOf(['timestamp', 'value'], options);
  assert.ok(layout.ok);
  assert.deepEqual(layout.value, { hasHeader: true, timeIndex: 0, values: [{ index: 1, name: 'value' }] });
  const named = csvLayoutOf(['id', 'ts', 't1', 't2'], { ...options, valueColumns: ['t2'], name: 'temperature' });
  assert.ok(named.ok);
  assert.deepEqual(named.value, { hasHeader: true, timeIndex: 1, values: [{ index: 3, name: 'temperature' }] });
});

test('a file without a header counts its columns', () => {
  const layout = csvLayoutOf(['2013-07-04 00:00:00', '1', '2'], { ...options, valueColumns: ['3'] });
  assert.ok(layout.ok);
  assert.deepEqual(layout.value, { hasHeader: false, timeIndex: 0, values: [{ index: 2, name: 'value' }] });
});

test('values keep their decimals, and empty ones are left out', () => {
  const layout = {
    hasHeader: true,
    timeIndex: 0,
    values: [
      { index: 1, name: 'a' },
      { index: 2, name: 'b' },
    ],
  };
  const readings = csvReadings(['2013-12-02 21:20:00', '74.93588199999998', ''], layout, { ...options, unit: 'Cel' });
  assert.ok(readings.ok);
  assert.deepEqual(readings.value, [
    { name: 'a', time: '1386019200', unit: 'Cel', value: { type: 'number', text: '74.93588199999998' } },
  ]);
  const zeros = csvReadings(['1386019200', '1.50', '007'], layout, options);
  assert.deepEqual(zeros.ok && zeros.value.map((reading) => reading.value), [
    { type: 'number', text: '1.50' },
    { type: 'number', text: '7' },
  ]);
});

test('a value that is no number stops, is skipped or becomes text, as asked', () => {
  const layout = { hasHeader: true, timeIndex: 0, values: [{ index: 1, name: 'a' }] };
  const row = ['1386019200', 'n/a'];
  const stopped = csvReadings(row, layout, options);
  assert.equal(!stopped.ok && stopped.error.code, 'feed.bad-value');
  const skipped = csvReadings(row, layout, { ...options, onBad: 'skip' });
  assert.deepEqual(skipped.ok && skipped.value, []);
  const text = csvReadings(row, layout, { ...options, onBad: 'text' });
  assert.deepEqual(text.ok && text.value[0]?.value, { type: 'string', text: 'n/a' });
});

test('a column that is not there is named', () => {
  const layout = csvLayoutOf(['time', 'a'], { ...options, valueColumns: ['b'] });
  assert.equal(!layout.ok && layout.error.code, 'feed.unknown-column');
});
