import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReadingName, numberText, textToReading } from './reading.ts';

test('a number keeps its decimals, also trailing zeros', () => {
  for (const text of ['74.93588199999998', '21.50', '0.0', '-3', '100000000000000000000.1'])
    assert.equal(numberText(text), text);
});

test('numbers as loggers write them become JSON numbers of the same value', () => {
  assert.equal(numberText(' +1.5 '), '1.5');
  assert.equal(numberText('.5'), '0.5');
  assert.equal(numberText('007.10'), '7.10');
});

test('what is no number is none', () => {
  for (const text of ['', '.', '-', 'NaN', 'inf', '1,5', '0x10', '1 2', '1e99999'])
    assert.equal(numberText(text), null, text);
});

test('readings are written name=value:unit', () => {
  const reading = (text: string) => {
    const read = textToReading(text, '1.5');
    assert.ok(read.ok, text);
    return read.value;
  };
  assert.deepEqual(reading('temperature=21.50:Cel'), {
    name: 'temperature',
    unit: 'Cel',
    time: '1.5',
    value: { type: 'number', text: '21.50' },
  });
  assert.deepEqual(reading('count=3'), { name: 'count', time: '1.5', value: { type: 'number', text: '3' } });
  assert.deepEqual(reading('door=true').value, { type: 'boolean', value: true });
  assert.deepEqual(reading('note=at 12:30').value, { type: 'string', text: 'at 12:30' });
});

test('a reading without a name or a value is refused, with an example', () => {
  for (const text of ['', '21.5', '=21.5', 'a b=1', '/x=1']) {
    const read = textToReading(text);
    assert.equal(!read.ok && read.error.code, 'usage.bad-reading', text);
    assert.match(!read.ok ? read.error.message : '', /temperature=21.5:Cel/);
  }
  assert.ok(isReadingName('room-1/t:0'));
});
