import assert from 'node:assert/strict';
import { test } from 'node:test';
import { topicsOf } from './topics.ts';

const topics = topicsOf('AAECAwQFBgc');

test('signed transactions have one topic, unsigned readings one per device', () => {
  assert.deepEqual(topics.parse('cairn/AAECAwQFBgc/tx'), { type: 'signed' });
  assert.deepEqual(topics.parse('cairn/AAECAwQFBgc/senml/maker-1/pump-07'), {
    type: 'unsigned',
    member: 'maker-1',
    device: 'pump-07',
  });
});

test('a topic that names no account of the ledger is unknown', () => {
  const wrong = [
    'cairn/AAECAwQFBgc/senml',
    'cairn/AAECAwQFBgc/senml/maker',
    'cairn/AAECAwQFBgc/senml/maker/pump/7',
    'cairn/AAECAwQFBgc/senml/Maker/pump',
    'cairn/AAECAwQFBgc/senml/maker/',
    `cairn/AAECAwQFBgc/senml/maker/${'x'.repeat(33)}`,
    'cairn/AAECAwQFBgc/tx/',
    'cairn/otherledger/tx',
    'cairn/AAECAwQFBgc',
    '',
  ];
  for (const topic of wrong) assert.deepEqual(topics.parse(topic), { type: 'unknown' }, topic);
});

test('answers go where the publisher can find them', () => {
  assert.equal(topics.result('ab12'), 'cairn/AAECAwQFBgc/result/ab12');
  assert.equal(topics.receipt('ab12'), 'cairn/AAECAwQFBgc/result/ab12/receipt');
  assert.equal(topics.rejected('cairn/AAECAwQFBgc/tx'), 'cairn/AAECAwQFBgc/rejected/tx');
  assert.equal(topics.rejected('cairn/AAECAwQFBgc/senml/maker/pump'), 'cairn/AAECAwQFBgc/rejected/maker/pump');
  assert.equal(topics.rejected(`cairn/AAECAwQFBgc/senml/${'x'.repeat(300)}`), 'cairn/AAECAwQFBgc/rejected/senml');
});
