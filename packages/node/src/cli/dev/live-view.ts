/**
 * The picture of a running network. On a terminal a few lines at the bottom are drawn anew every second, and messages
 * scroll above them; elsewhere there is one line every some seconds.
 */
import process from 'node:process';
import type { StatusAnswer } from '@cairn-ledger/sdk';
import { grouped, style, tableLines } from '../output.ts';
import { resilienceText } from '../resilience.ts';
import type { DevNode } from './dev-network.ts';
import type { FleetStatus } from './fleet.ts';

const LINE_EVERY_MS = 5_000;

export type NodePicture = { readonly node: DevNode; readonly pid: number | null; readonly status: StatusAnswer | null };
export type Picture = { readonly nodes: readonly NodePicture[]; readonly fleet: FleetStatus | null };

export type LiveView = {
  /** Prints a message that stays. */
  say(line: string): void;
  show(picture: Picture): void;
  close(): void;
};

export function createLiveView(): LiveView {
  return process.stdout.isTTY ? createTerminalView() : createLineView();
}

function createTerminalView(): LiveView {
  let drawn: string[] = [];
  const erase = (): string => (drawn.length === 0 ? '' : `\x1b[${drawn.length}A\x1b[0J`);
  return {
    say(line) {
      process.stdout.write(`${erase()}${line}\n${drawn.join('')}`);
    },
    show(picture) {
      const width = process.stdout.columns ?? 80;
      const lines = [
        '',
        ...pictureLines(picture),
        style('dim', 'Ctrl-C stops the network; the next start goes on from here.'),
      ];
      // A line that wraps would break the count of lines to erase.
      const next = lines.map((line) => `${cutTo(line, width - 1)}\n`);
      process.stdout.write(erase() + next.join(''));
      drawn = next;
    },
    close() {
      drawn = [];
    },
  };
}

function createLineView(): LiveView {
  let shownMs = Number.NEGATIVE_INFINITY;
  return {
    say: (line) => void process.stdout.write(`${line}\n`),
    show(picture) {
      if (performance.now() - shownMs < LINE_EVERY_MS) return;
      shownMs = performance.now();
      process.stdout.write(`${summaryLine(picture)}\n`);
    },
    close: () => undefined,
  };
}

function pictureLines(picture: Picture): string[] {
  const rows = picture.nodes.map(({ node, pid, status }) => [
    node.id,
    node.member,
    node.http,
    modeText(status),
    status ? grouped(status.executedHeight) : '-',
    status ? grouped(status.certifiedHeight) : '-',
    status ? grouped(status.transactions) : '-',
    status ? grouped(status.readings) : '-',
    status ? status.historyRoot.slice(0, 8) : '-',
    pid === null ? '-' : String(pid),
  ]);
  const head = ['node', 'member', 'http', 'mode', 'height', 'certified', 'transactions', 'readings', 'history', 'pid'];
  const [title, ...lines] = tableLines(head, rows);
  return [style('bold', title!), ...lines, fleetText(picture.fleet), resilienceText(picture.nodes.length)];
}

function summaryLine(picture: Picture): string {
  const statuses = picture.nodes.flatMap(({ status }) => (status === null ? [] : [status]));
  const inSync = statuses.filter((status) => status.inSync).length;
  const highest = (value: (status: StatusAnswer) => number): string => grouped(Math.max(0, ...statuses.map(value)));
  return (
    `height ${highest((status) => status.executedHeight)}  certified ${highest((status) => status.certifiedHeight)}  ` +
    `${inSync}/${picture.nodes.length} nodes in sync  ${highest((status) => status.transactions)} transactions  ` +
    `${highest((status) => status.readings)} readings  ${fleetText(picture.fleet)}`
  );
}

function fleetText(fleet: FleetStatus | null): string {
  if (fleet === null) return 'fleet: none';
  const median = fleet.medianMs === null ? '' : `, verdict after ${Math.round(fleet.medianMs)} ms`;
  const failed = fleet.failed === 0 ? '' : `, ${fleet.failed} failed (${fleet.lastError})`;
  return `fleet: ${fleet.devices} devices, ${grouped(fleet.accepted)} accepted by HTTP${median}, ${grouped(fleet.published)} by MQTT${failed}`;
}

function modeText(status: StatusAnswer | null): string {
  if (status === null) return 'down';
  return status.mode === 'active' && !status.inSync ? 'behind' : status.mode;
}

/** Cuts to a width that colours do not count in. */
export function cutTo(line: string, width: number): string {
  let seen = 0;
  let cut = '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with the escape character
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith('\x1b[')) {
      cut += part;
      continue;
    }
    cut += part.slice(0, Math.max(0, width - seen));
    seen += part.length;
  }
  return cut;
}
