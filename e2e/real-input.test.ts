/**
 * The main job on real input: two series of temperatures go in by three ways, a node is killed in the middle, and every
 * reading comes back from every node exactly as it went in.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { audienceOf, encodePack, textToDecimal } from '@cairn-ledger/core';
import { type ReadingAnswer, signTransaction } from '@cairn-ledger/sdk';
import { mosquittoMissing, mosquittoPublish, startMosquitto } from '../packages/gateway/src/testing/brokers.ts';
import { signerOf } from '../packages/node/src/cli/signing.ts';
import {
  assertAgreement,
  type E2eNetwork,
  type E2eNode,
  networkTest,
  orFail,
  type RunningCommand,
  sleep,
  startCairn,
  statusOf,
  until,
  untilInSync,
} from './network.ts';
import { ambientSeries, machineSeries, type SeriesRow } from './series.ts';

const machine = machineSeries();
const ambient = ambientSeries();
const readingsPerTransaction = 20;
/** Slow enough that there is a middle in which things can happen. */
const readingsPerSecond = 3_000;
const downMs = 4_000;
const plainCount = 300;
const signedCount = 200;
const packedCount = 20;

const broker = mosquittoMissing === false ? await startMosquitto() : null;

type Summary = {
  readonly complete: boolean;
  readonly readings: number;
  readonly total: { readonly readings: number; readonly transactions: number; readonly rejected: number };
};

networkTest(
  'real input',
  {
    devices: ['birch/machine', 'cedar/ambient', 'cedar/probe', 'elm/tag'],
    ...(broker && { mqtt: broker.url }),
    timeoutMs: 200_000,
    onEnd: () => broker?.close(),
  },
  async (network, step) => {
    const [first, victim, third, fourth] = network.nodes as [E2eNode, E2eNode, E2eNode, E2eNode];
    const others = [first, third, fourth];
    const feed = (series: typeof machine, owner: string, ...more: string[]): RunningCommand => {
      const path = join(network.dir, `${series.name}.csv`);
      writeFileSync(path, series.csv);
      const options = ['--key', network.keyPath(owner), '--name', 'temperature', '--unit', 'Cel', '--json'];
      const pace = ['--pack', String(readingsPerTransaction), '--rate', String(readingsPerSecond)];
      return startCairn(['feed', path, ...options, ...pace, ...more], network.dir, {
        CAIRN_NETWORK: network.networkPath,
      });
    };
    const acknowledged: string[] = [];

    await step('while one node is killed and comes back, the others never stop and every feed goes on', async () => {
      // The node that is going to be killed is the one that the first feed hands its transactions to.
      const machineFeed = feed(machine, 'birch/machine', '--node', victim.id, first.id, third.id, fourth.id);
      const ambientFeed = feed(ambient, 'cedar/ambient');
      await until('the feeds are in the middle', 30_000, async () => (await statusOf(first)).readings > 4_000);
      acknowledged.push(...(await handIn(network, victim, 50)));
      await victim.kill();
      const heights = watchHeights(others);
      ambientFeed.process.kill('SIGINT');
      const interrupted = await ambientFeed.ended;
      assert.equal(interrupted.code, 1, interrupted.stderr);
      assert.equal((JSON.parse(interrupted.stdout) as Summary).complete, false);
      if (broker !== null) await publish(network, broker.port);
      await sleep(downMs);
      const { growth, longestPauseMs } = heights.end();
      for (const [i, grown] of growth.entries())
        assert.ok(grown > 10, `${others[i]!.id} went on: ${grown} heights while ${victim.id} was down`);
      assert.ok(longestPauseMs < 5_000, `no pause without a new height was longer than 5 s: ${longestPauseMs} ms`);
      await victim.start();
      const resumed = await feed(ambient, 'cedar/ambient').ended;
      assert.equal(resumed.code, 0, resumed.stderr);
      const { complete, total } = JSON.parse(resumed.stdout) as Summary;
      assert.equal(complete, true);
      assert.deepEqual(total, {
        readings: ambient.rows.length,
        transactions: Math.ceil(ambient.rows.length / readingsPerTransaction),
        rejected: 0,
      });
      const fed = await machineFeed.ended;
      assert.equal(fed.code, 0, fed.stderr);
      assert.equal((JSON.parse(fed.stdout) as Summary).total.readings, machine.rows.length);
    });

    await step('the killed node catches up, and all have equal roots at equal heights', async () => {
      await untilInSync(network.nodes);
      const expected = expectedCount();
      await until(`${expected} readings are on every node`, 30_000, async () => {
        const statuses = await Promise.all(network.nodes.map(statusOf));
        return statuses.every((status) => status.readings >= expected);
      });
      await assertAgreement(network.nodes);
    });

    await step('every reading comes back from every node exactly as it went in, once', async () => {
      for (const node of network.nodes) {
        assertSame(await allReadings(node, 'birch/machine'), machine.rows, 'device-signed');
        assertSame(await allReadings(node, 'cedar/ambient'), ambient.rows, 'device-signed');
        if (broker === null) continue;
        assertSame(await allReadings(node, 'cedar/probe'), plainRows, 'gateway-attested');
        assertSame(await allReadings(node, 'elm/tag'), signedRows, 'device-signed');
      }
    });

    await step('what the killed node had acknowledged is in the history of every node', async () => {
      assert.equal(acknowledged.length, 50);
      for (const node of network.nodes)
        for (const id of acknowledged) {
          const answer = await node.client.transaction(id);
          assert.equal(answer.ok && answer.value.status, 'accepted', `${id} on ${node.id}`);
        }
    });

    await step('receipts of all kinds verify, from any node, with the library and offline', async () => {
      const ids = new Set<string>();
      for (const device of ['birch/machine', 'cedar/ambient', ...(broker ? ['cedar/probe', 'elm/tag'] : [])]) {
        const found = [...new Set((await allReadings(first, device)).map((reading) => reading.transaction))];
        for (let i = 0; i < found.length; i += Math.ceil(found.length / 20)) ids.add(found[i]!);
      }
      for (const [i, id] of [...ids].entries()) {
        const receipt = await network.nodes[i % network.nodes.length]!.client.receipt(id);
        assert.ok(orFail(receipt, id).verified.signers.length >= 3);
      }
      for (const [i, id] of [...ids].slice(-3).entries()) {
        const path = join(network.dir, `${i}.receipt`);
        const shown = await network.cairn('show', id, '--save', path, '--node', network.nodes[i]!.id);
        assert.equal(shown.code, 0, shown.stderr);
        const verified = await network.cairn('verify', path, '--genesis', network.genesisPath, '--json');
        assert.equal(verified.code, 0, verified.stderr);
        assert.equal((JSON.parse(verified.stdout) as { verified: boolean }).verified, true);
      }
    });
  },
);

/** Rows that go in over MQTT: unsigned ones one by one and in one CBOR pack, signed ones 20 at a time. */
const plainRows = machine.rows.slice(0, plainCount + packedCount);
const signedRows = ambient.rows.slice(0, signedCount);

function expectedCount(): number {
  const overMqtt = broker === null ? 0 : plainRows.length + signedRows.length;
  return machine.rows.length + ambient.rows.length + overMqtt + 50;
}

async function publish(network: E2eNetwork, port: number): Promise<void> {
  const root = `cairn/${audienceOf(network.ledgerHash)}`;
  const plainTopic = `${root}/senml/cedar/probe`;
  const lines = plainRows
    .slice(0, plainCount)
    .map(({ seconds, value }) => `[{"n":"temperature","u":"Cel","t":${seconds},"v":${value}}]`);
  // One message for each line, as a logger would write them.
  await mosquittoPublish(port, ['-q', '1', '-t', plainTopic, '-l'], `${lines.join('\n')}\n`);
  const pack = encodePack(
    plainRows.slice(plainCount).map(({ seconds, value }) => ({
      name: 'temperature',
      unit: 'Cel',
      time: textToDecimal(seconds)!,
      value: { type: 'number' as const, decimal: textToDecimal(value)! },
    })),
  );
  assert.ok(pack.ok);
  await mosquittoPublish(port, ['-q', '1', '-t', plainTopic, '-s'], pack.value);
  const signer = signerOf(network.keyPath('elm/tag'));
  for (let i = 0; i < signedRows.length; i += readingsPerTransaction) {
    const transaction = orFail(
      signTransaction(
        {
          ledgerHash: network.ledgerHash,
          counter: BigInt(i + 1),
          readings: signedRows.slice(i, i + readingsPerTransaction).map(({ seconds, value }) => ({
            name: 'temperature',
            unit: 'Cel',
            time: seconds,
            value: { type: 'number', text: value },
          })),
        },
        signer,
      ),
    );
    await mosquittoPublish(port, ['-q', '1', '-t', `${root}/tx`, '-s'], transaction);
  }
}

/** Hands readings in at one node only, and waits for no more than its acknowledgement; the ids it acknowledged. */
async function handIn(network: E2eNetwork, node: E2eNode, count: number): Promise<string[]> {
  const signer = signerOf(network.keyPath('alder/desk'));
  const transactions = Array.from({ length: count }, (_, i) => {
    const transaction = orFail(
      signTransaction(
        {
          ledgerHash: network.ledgerHash,
          counter: BigInt(i + 1),
          readings: [{ name: 'count', time: '1700000000', value: { type: 'number', text: String(i) } }],
        },
        signer,
      ),
    );
    return transaction;
  });
  return orFail(await node.client.submitMany(transactions)).map((outcome) => {
    assert.ok(outcome.status === 'pending' || outcome.status === 'accepted', outcome.message);
    return outcome.id!;
  });
}

/** Looks at the heights again and again: how far each node has come, and the longest time without a new height anywhere. */
function watchHeights(nodes: readonly E2eNode[]): { end(): { growth: number[]; longestPauseMs: number } } {
  const firsts: number[] = [];
  const lasts: number[] = [];
  let longestPauseMs = 0;
  let highest = 0;
  let grewMs = performance.now();
  const timer = setInterval(async () => {
    const statuses = await Promise.all(nodes.map(statusOf)).catch(() => null);
    if (statuses === null) return;
    for (const [i, { executedHeight }] of statuses.entries()) {
      firsts[i] ??= executedHeight;
      lasts[i] = executedHeight;
    }
    const now = Math.max(...statuses.map((status) => status.executedHeight));
    if (now > highest) {
      highest = now;
      grewMs = performance.now();
    }
    longestPauseMs = Math.max(longestPauseMs, performance.now() - grewMs);
  }, 100);
  timer.unref();
  return {
    end() {
      clearInterval(timer);
      return {
        growth: nodes.map((_, i) => (lasts[i] ?? 0) - (firsts[i] ?? 0)),
        longestPauseMs: Math.round(longestPauseMs),
      };
    },
  };
}

async function allReadings(node: E2eNode, device: string): Promise<ReadingAnswer[]> {
  const readings: ReadingAnswer[] = [];
  let cursor: string | null = null;
  do {
    const page = await node.client.readings(device, { limit: 10_000, ...(cursor !== null && { cursor }) });
    const { readings: some, next } = orFail(page, `${device} on ${node.id}`);
    readings.push(...some);
    cursor = next;
  } while (cursor !== null);
  return readings;
}

/** As sorted lines: a time may stand twice, and then its readings have no order. */
function assertSame(readings: readonly ReadingAnswer[], rows: readonly SeriesRow[], provenance: string): void {
  const got = readings.map(({ seconds, value, unit, provenance: by }) => {
    const text = typeof value === 'object' && value !== null ? value.text : String(value);
    return `${seconds} ${text} ${unit} ${by}`;
  });
  const expected = rows.map(({ seconds, value }) => `${seconds} ${value} Cel ${provenance}`);
  assert.equal(got.length, expected.length);
  assert.deepEqual(got.sort(), expected.sort());
  const times = readings.map((reading) => Number(reading.seconds));
  assert.ok(
    times.every((time, i) => i === 0 || time >= times[i - 1]!),
    'in order of time',
  );
}
