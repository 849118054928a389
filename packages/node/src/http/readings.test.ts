import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { createApp } from './app.ts';
import type { ReadingView } from './edge-port.ts';
import { bytes32, createFakeEdge } from './fake-edge.ts';
import { parseInstant } from './readings.ts';

const base: ReadingView = {
  device: 'acme/probe',
  name: 'temperature',
  unit: 'Cel',
  timeMs: 1_700_000_000_123,
  timeText: '1700000000.123456789',
  value: { type: 'number', text: '73.96732207' },
  sumText: null,
  provenance: 'device-signed',
  transaction: bytes32(9),
  height: 3,
};

async function appOf(readingList: ReadingView[], next: string | null = null) {
  const edge = createFakeEdge({ readingList, next });
  const { app } = await createApp(edge);
  return {
    edge,
    get: (query = '', headers = {}) => app.inject({ url: `/v1/devices/acme%2Fprobe/readings${query}`, headers }),
  };
}

test('numbers go out with exactly the decimals they came in with', async () => {
  const texts = [
    '73.96732207',
    '1.0',
    '-0.10',
    '1e3',
    '9007199254740993',
    '0.1000000000000000055511151231257827',
    '-12E-3',
  ];
  const { get } = await appOf(texts.map((text) => ({ ...base, value: { type: 'number', text } })));
  const json = await get();
  assert.match(json.headers['content-type'] as string, /^application\/json/);
  for (const text of texts) assert.ok(json.body.includes(`"value":${text},`), text);
  const csv = await get('?format=csv');
  for (const text of texts) assert.ok(csv.body.includes(`,Cel,${text},`), text);
});

test('a number that JSON does not have goes out as text, so that the document stays readable', async () => {
  const { get } = await appOf(
    ['01', '.5', '1.', 'NaN', '1,"x":2'].map((text) => ({ ...base, value: { type: 'number', text } })),
  );
  const values = (await get()).json().readings.map((reading: { value: unknown }) => reading.value);
  assert.deepEqual(values, ['01', '.5', '1.', 'NaN', '1,"x":2']);
});

test('a reading tells name, unit, exact time, provenance and where it stands', async () => {
  const { get } = await appOf([
    base,
    { ...base, value: { type: 'string', text: 'a "b"\n' }, unit: null, provenance: 'gateway-attested' },
    { ...base, value: { type: 'boolean', value: true } },
    { ...base, value: { type: 'data', bytes: new Uint8Array([255, 0]) } },
    { ...base, value: { type: 'none' }, sumText: '12.50' },
  ]);
  const answer = await get();
  const { readings } = answer.json();
  assert.deepEqual(readings[0], {
    device: 'acme/probe',
    name: 'temperature',
    unit: 'Cel',
    time: '2023-11-14T22:13:20.123Z',
    seconds: '1700000000.123456789',
    value: 73.96732207,
    provenance: 'device-signed',
    transaction: '09'.repeat(32),
    height: 3,
  });
  assert.equal(readings[1].value, 'a "b"\n');
  assert.equal(readings[1].unit, null);
  assert.equal(readings[1].provenance, 'gateway-attested');
  assert.equal(readings[2].value, true);
  assert.deepEqual([readings[3].value, readings[3].data], [null, '_wA']);
  assert.ok(answer.body.includes('"value":null,"sum":12.50,'));
});

test('CSV quotes what needs it, and is given for Accept: text/csv', async () => {
  const { get } = await appOf([{ ...base, name: 'a,b', value: { type: 'string', text: 'say "hi"' } }]);
  const csv = await get('', { accept: 'text/csv' });
  assert.match(csv.headers['content-type'] as string, /^text\/csv/);
  const lines = csv.body.split('\r\n');
  assert.equal(lines[0], 'time,seconds,device,name,unit,value,sum,provenance,transaction,height');
  assert.equal(
    lines[1],
    `2023-11-14T22:13:20.123Z,1700000000.123456789,acme/probe,"a,b",Cel,"say ""hi""",,device-signed,${'09'.repeat(32)},3`,
  );
});

test('a page names the next one, in the document and as a link', async () => {
  const { edge, get } = await appOf([base], 'abc-1');
  const first = await get('?limit=1&from=2023-01-01T00:00:00Z');
  assert.equal(first.json().next, 'abc-1');
  assert.equal(
    first.headers.link,
    '</v1/devices/acme%2Fprobe/readings?limit=1&from=2023-01-01T00%3A00%3A00Z&cursor=abc-1>; rel="next"',
  );
  assert.deepEqual(edge.asked.readings, {
    device: 'acme/probe',
    request: { limit: 1, cursor: null, fromMs: 1_672_531_200_000, toMs: null },
  });
  await get('?cursor=abc-1&to=1700000000000');
  assert.deepEqual(edge.asked.readings.request, {
    limit: 1_000,
    cursor: 'abc-1',
    fromMs: null,
    toMs: 1_700_000_000_000,
  });
});

test('a list of a node that has begun later says from which block on it is whole, as JSON and as CSV', async () => {
  const { edge, get } = await appOf([base]);
  for (const heldFrom of [0, 41]) {
    edge.heldFromHeight = heldFrom;
    const json = await get();
    assert.deepEqual([json.json().heldFrom, json.headers['cairn-held-from']], [heldFrom, String(heldFrom)]);
    const csv = await get('?format=csv');
    assert.equal(csv.headers['cairn-held-from'], String(heldFrom));
    assert.ok(csv.body.startsWith('time,seconds,'), 'the lines are the same');
  }
  edge.readingList = [];
  const empty = await get();
  assert.deepEqual(empty.json(), { readings: [], next: null, heldFrom: 41 });
});

test('a list is as incomplete as the node was before or after it was made', async () => {
  for (const [before, after] of [
    [41, 0],
    [0, 41],
  ] as const) {
    const edge = createFakeEdge({ heldFromHeight: before });
    const { readings } = edge;
    edge.readings = (device, request) => {
      edge.heldFromHeight = after;
      return readings(device, request);
    };
    const { app } = await createApp(edge);
    assert.equal((await app.inject('/v1/devices/acme/probe/readings')).json().heldFrom, 41);
  }
});

test('a mistake in the query is named', async () => {
  const { get } = await appOf([]);
  for (const [query, says] of [
    ['?from=yesterday', /from=yesterday is neither/],
    ['?to=2023-13-01', /to=2023-13-01 is neither/],
    ['?limit=0', /"limit" in the query must be >= 1/],
    ['?limit=10001', /"limit" in the query must be <= 10000/],
    ['?form=1', /no parameter "form"/],
    ['?cursor=%20', /"cursor" in the query/],
    ['?cursor=bad', /no such place/],
    ['?format=xml', /"format" in the query/],
  ] as const) {
    const answer = await get(query);
    assert.equal(answer.statusCode, 400, query);
    assert.match(answer.json().detail, says);
  }
  const { app } = await createApp(createFakeEdge());
  assert.equal((await app.inject('/v1/devices/acme/other/readings')).statusCode, 404);
  assert.equal((await app.inject('/v1/devices/Acme/other/readings')).statusCode, 400);
});

test('a time is RFC 3339, a date, or milliseconds', () => {
  assert.equal(parseInstant('2023-11-14T22:13:20Z'), 1_700_000_000_000);
  assert.equal(parseInstant('2023-11-14T23:13:20+01:00'), 1_700_000_000_000);
  assert.equal(parseInstant('1970-01-02'), 86_400_000);
  assert.equal(parseInstant('-5'), -5);
  for (const text of ['', 'now', '1e3', '2023-11-14T22:13:20', '12345678901234567'])
    assert.equal(parseInstant(text), null);
});
