/**
 * The disk of one node fails or is full, under load: that node ends with a code that says so, having promised nothing that
 * is not there; the others go on; and when the disk works again, it comes back and agrees (protocol.md section 6).
 *
 * A failed sync is not tried again: the system may have dropped the bytes, and would report success.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { markUnused } from '../packages/node/src/keys/unused-record.ts';
import { compileDiskFault, createDiskFault, type FaultCode, type FaultKind, mountSmallDisk } from './disk-fault.ts';
import { createChecks } from './kills-check.ts';
import { loadDevices, startLoad } from './kills-load.ts';
import { type E2eNode, networkTest, statusOf, until } from './network.ts';

type Case = {
  readonly claim: string;
  readonly kind: FaultKind;
  readonly code: FaultCode;
  /** Below the folder of the node. */
  readonly path: string;
  /** With which the node ends. */
  readonly ends: string;
};

const cases: readonly Case[] = [
  { claim: 'a write of the journal fails', kind: 'write', code: 'EIO', path: 'data/journal/', ends: 'journal.failed' },
  { claim: 'a sync of the journal fails', kind: 'sync', code: 'EIO', path: 'data/journal/', ends: 'journal.failed' },
  {
    claim: 'the disk of the journal is full',
    kind: 'write',
    code: 'ENOSPC',
    path: 'data/journal/',
    ends: 'journal.failed',
  },
  { claim: 'a write of the chain fails', kind: 'write', code: 'EIO', path: 'data/chain.db', ends: 'storage.failed' },
  { claim: 'a sync of a commit fails', kind: 'sync', code: 'EIO', path: 'data/chain.db-wal', ends: 'storage.failed' },
  { claim: 'a write of the view fails', kind: 'write', code: 'EIO', path: 'data/view.db', ends: 'storage.failed' },
  {
    claim: 'the mark beside the keys cannot be written',
    kind: 'write',
    code: 'EIO',
    path: 'keys/signed-',
    ends: 'keyfile.unwritable',
  },
  {
    claim: 'a sync fails while the log is folded into the chain',
    kind: 'sync',
    code: 'EIO',
    path: 'data/chain.db$',
    ends: 'storage.failed',
  },
];

const endsWithinMs = 60_000;
const smallDiskMiB = 96;
const dir = mkdtempSync(join(tmpdir(), 'cairn-fault-'));
const compiled = compileDiskFault(dir);
const noFault = 'reason' in compiled ? compiled.reason : false;
const faults = [0, 1, 2, 3].map((i) =>
  'library' in compiled ? createDiskFault(compiled.library, join(dir, `trigger-${i}`)) : null,
);
let smallDisk: ReturnType<typeof mountSmallDisk> = null;
const [fullAt, pick] = [3, (count: number) => Math.floor(Math.random() * count)];

networkTest(
  'a disk that fails',
  {
    devices: loadDevices,
    timeoutMs: 400_000,
    wrapOf: (i) => ({ env: faults[i]?.env ?? {} }),
    onFounded: async ({ nodes }) => {
      const dataDir = join(nodes[fullAt]!.dir, 'data');
      smallDisk = mountSmallDisk(dataDir, smallDiskMiB);
      // The new disk hides that the keys are new.
      markUnused(dataDir);
    },
    onEnd: async () => {
      rmSync(dir, { recursive: true, force: true });
    },
  },
  async (network, step) => {
    const { nodes } = network;
    const load = startLoad(network);
    const checks = createChecks(network, load, pick, true);

    /** Something breaks; the node ends by itself with a code, the others go on; then it works again, and the node returns. */
    async function breaks(
      node: E2eNode,
      codes: readonly string[],
      fault: { begin(): void; end(): void },
    ): Promise<void> {
      const logBefore = node.log().length;
      const ended = node.untilEnded();
      fault.begin();
      await until(`${node.id} has ended`, endsWithinMs, async () => !node.isRunning());
      assert.equal(await ended, 1, `${node.id} ends with exit code 1`);
      const failures = node
        .log()
        .slice(logBefore)
        .split('\n')
        .filter((line) => line.includes('"node.failed"'));
      assert.equal(failures.length, 1, `it says once why: ${failures.join('\n')}`);
      const { code } = JSON.parse(failures[0]!) as { code: string };
      assert.ok(codes.includes(code), failures[0]!);
      const others = nodes.filter((other) => other !== node);
      const { executedHeight } = await statusOf(others[0]!);
      await until(
        'the others go on',
        endsWithinMs,
        async () => (await statusOf(others[1]!)).executedHeight > executedHeight + 3,
      );
      fault.end();
      await node.start();
      const height = (await statusOf(others[0]!)).executedHeight;
      await until(`${node.id} is back and goes on`, endsWithinMs, async () => {
        const status = await statusOf(node);
        return status.inSync && status.executedHeight > height;
      });
    }

    try {
      for (const [i, { claim, kind, code, path, ends }] of cases.entries()) {
        await step(
          `${claim}: the node ends with ${ends}, and returns`,
          async () => {
            const at = i % fullAt;
            const fault = faults[at]!;
            const node = nodes[at]!;
            await breaks(node, [ends], {
              begin: () => fault.begin(kind, code, join(node.dir, path)),
              end: () => fault.end(),
            });
            assert.ok(fault.hits().length > 0, 'the fault has struck');
          },
          noFault,
        );
      }
      await step(
        'a full disk: the node ends with a code that says so, and returns when there is room',
        async () => {
          const node = nodes[fullAt]!;
          // Whichever of the two writes first.
          await breaks(node, ['journal.failed', 'storage.failed'], {
            begin: () => smallDisk!.fill(),
            end: () => smallDisk!.makeRoom(),
          });
        },
        smallDisk === null ? 'no small disk: mounting one needs root' : false,
      );
      await load.stop();
      await step('nothing that was acknowledged is lost, and all agree', async () => {
        const totals = await checks.all();
        assert.ok(totals.acknowledged > 0);
        assert.equal(totals.lost + totals.duplicated, 0);
        console.log(`${totals.acknowledged} acknowledged, ${totals.committed} in the history`);
      });
    } finally {
      await load.stop();
      // Before its folder is removed.
      await nodes[fullAt]!.kill();
      smallDisk?.unmount();
    }
  },
);

process.once('exit', () => smallDisk?.unmount());
