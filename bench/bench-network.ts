/** A network for measuring: founded in a temporary folder, one process per node, on loopback. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultParameters } from '../packages/core/src/index.ts';
import { logTail, type NodeProcess, startNodeProcess } from '../packages/node/src/cli/dev/node-process.ts';
import { choosePorts } from '../packages/node/src/cli/dev/ports.ts';
import { foundNetwork } from '../packages/node/src/cli/founding/found-network.ts';
import { nodeConfigIn, writeNodeConfig } from '../packages/node/src/config/node-config.ts';

export type BenchNode = {
  readonly id: string;
  readonly http: string;
  readonly dir: string;
  readonly process: NodeProcess;
};

export type BenchNetwork = {
  readonly nodes: readonly BenchNode[];
  readonly ledgerHash: Uint8Array;
  /** Key files of the devices. */
  readonly deviceKeys: readonly string[];
  stop(): Promise<void>;
  remove(): void;
};

const membersCount = 20;
const basePort = 17_800;

export async function startBenchNetwork(validatorsCount: number, devicesPerMember: number): Promise<BenchNetwork> {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-bench-'));
  const ports = await choosePorts(basePort, false, validatorsCount);
  if (!ports.ok) throw new Error(ports.error.message);
  const members = Array.from({ length: Math.max(membersCount, validatorsCount) }, (_, i) => `member-${i + 1}`);
  const devices = members
    .slice(0, membersCount)
    .flatMap((member) => Array.from({ length: devicesPerMember }, (_, i) => `${member}/sensor-${i + 1}`));
  const ids = Array.from({ length: validatorsCount }, (_, i) => `node-${String(i + 1).padStart(2, '0')}`);
  const founded = foundNetwork(
    {
      name: 'bench',
      members: members.map((id) => ({ id, name: id, person: null })),
      nodes: ids.map((id, i) => ({
        id,
        member: members[i]!,
        address: `127.0.0.1:${ports.value.link[i]}`,
        http: { host: '127.0.0.1', port: ports.value.http[i]! },
        mqtt: null,
        publicPath: null,
      })),
      devices: devices.map((id) => ({ id, key: null })),
      assets: [],
      balances: [],
      parameters: { ...defaultParameters, deltaMs: validatorsCount > 7 ? 500 : 100 },
    },
    join(dir, 'network'),
    Date.now(),
  );
  if (!founded.ok) throw new Error(founded.error.message);
  const nodes = ids.map((id, i) => {
    const nodeDir = founded.value.nodeDirs[id]!;
    const http = { host: '127.0.0.1', port: ports.value.http[i]! };
    writeNodeConfig(
      nodeDir,
      nodeConfigIn(nodeDir, {
        validatorId: id,
        listen: { host: '127.0.0.1', port: ports.value.link[i]! },
        http,
        logLevel: 'warn',
      }),
    );
    return { id, http: `http://127.0.0.1:${http.port}`, dir: nodeDir, process: startNodeProcess(nodeDir) };
  });
  const network: BenchNetwork = {
    nodes,
    ledgerHash: founded.value.ledgerHash,
    deviceKeys: devices.map((id) => founded.value.keyPaths[id]!),
    async stop() {
      await Promise.all(nodes.map((node) => node.process.stop()));
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
  for (const node of nodes) {
    const exit = await node.process.started;
    if (exit === null) continue;
    const log = logTail(node.process.logPath);
    await network.stop();
    throw new Error(`${node.id} did not start:\n${log}`);
  }
  return network;
}

/** Resident memory of a process, in MiB; 0 when it is gone. */
export function residentMiB(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? 0 : Number(line[1]) / 1024;
  } catch {
    return 0;
  }
}

/** Bytes of all files below a folder. */
export function sizeOfFolder(path: string): number {
  let bytes = 0;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}
