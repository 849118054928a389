/** The checks of `cairn doctor`. Each says what was found, and where that is not good what to do. */
import { closeSync, existsSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { type NodeConfig, readNodeConfig } from '../../config/node-config.ts';
import { readNodeKeys } from '../../keys/node-keys.ts';
import { isFree } from '../dev/ports.ts';
import { CommandFailed } from '../exit-code.ts';
import { connectEach, findNetworkFile, type NetworkOptions, readGenesisFile } from '../network.ts';

export type Check = {
  readonly name: string;
  readonly verdict: 'good' | 'warn' | 'bad';
  readonly found: string;
  readonly advice?: string;
};

const NODE_NEEDED = [24, 19] as const;
const SYNC_SAMPLES = 32;
const SYNC_WARN_MS = 20;
const SYNC_BAD_MS = 200;
const FREE_WARN_GIB = 10;
const FREE_BAD_GIB = 1;
/** Blocks may be at most 5 s ahead of a validator's clock (protocol.md section 8). */
const CLOCK_WARN_MS = 1_000;
const CLOCK_BAD_MS = 5_000;

export async function checkMachine(folder: string | null, options: NetworkOptions): Promise<Check[]> {
  const checks: Check[] = [checkRuntime(), checkMemory()];
  let diskFolder = '.';
  if (folder !== null) {
    const config = readNodeConfig(folder);
    checks.push(
      config.ok
        ? {
            name: 'config',
            verdict: 'good',
            found: `${join(resolve(folder), 'node.json')}: ${config.value.validatorId}`,
          }
        : { name: 'config', verdict: 'bad', found: config.error.message },
    );
    if (config.ok) {
      checks.push(...checkNode(config.value), ...(await checkPorts(config.value)));
      if (existsSync(config.value.dataDir)) diskFolder = config.value.dataDir;
    }
  }
  checks.push(checkSync(diskFolder), checkSpace(diskFolder));
  return [...checks, ...(await checkNetwork(options))];
}

function checkRuntime(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNew = major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
  const found = `Node ${process.version} (OpenSSL ${process.versions.openssl}, SQLite ${process.versions.sqlite ?? 'none'}), ${process.platform} ${process.arch}`;
  return isNew
    ? { name: 'runtime', verdict: 'good', found }
    : {
        name: 'runtime',
        verdict: 'bad',
        found,
        advice: `Node ${NODE_NEEDED.join('.')} or later is needed; \`npx cairn\` uses the one npm ci installed`,
      };
}

function checkMemory(): Check {
  const gib = totalmem() / 1024 ** 3;
  const found = `${gib.toFixed(1)} GiB of memory, ${availableParallelism()} cores`;
  return gib >= 0.9
    ? { name: 'machine', verdict: 'good', found }
    : { name: 'machine', verdict: 'warn', found, advice: 'a node needs up to 200 MiB under load; leave room for it' };
}

function checkNode(config: NodeConfig): Check[] {
  const keys = readNodeKeys(config.keysDir);
  const genesis = readGenesisFile(config.genesisPath);
  const checks: Check[] = [
    keys.ok
      ? { name: 'keys', verdict: 'good', found: `${config.keysDir}: four keys, for their owner alone` }
      : { name: 'keys', verdict: 'bad', found: keys.error.message },
  ];
  if (!genesis.ok) return [...checks, { name: 'genesis', verdict: 'bad', found: genesis.error.message }];
  const validator = genesis.value.genesis.validators.find(({ id }) => id === config.validatorId);
  const isOurs =
    keys.ok && validator !== undefined && Buffer.compare(validator.votingKey, keys.value.voting.publicKey) === 0;
  checks.push(
    isOurs
      ? {
          name: 'genesis',
          verdict: 'good',
          found: `"${genesis.value.genesis.name}", ${genesis.value.genesis.validators.length} validators; the keys are those of ${config.validatorId}`,
        }
      : {
          name: 'genesis',
          verdict: 'bad',
          found: `the keys are not those of ${config.validatorId} in ${config.genesisPath}`,
          advice: 'compare validatorId, keys and genesis with what the founders agreed on',
        },
  );
  return checks;
}

async function checkPorts(config: NodeConfig): Promise<Check[]> {
  const ports = [
    { name: 'link', ...config.listen },
    { name: 'http', host: config.http.host, port: config.http.port },
  ];
  return Promise.all(
    ports.map(async ({ name, host, port }): Promise<Check> => {
      const free = port === 0 || (await isFree(port, host));
      const found = `${host}:${port} (${name}) is ${free ? 'free' : 'taken'}`;
      return free
        ? { name: 'port', verdict: 'good', found }
        : {
            name: 'port',
            verdict: 'warn',
            found,
            advice: 'good if this very node runs; otherwise end the other program or choose another port in node.json',
          };
    }),
  );
}

/** How long the disk takes to make a small write durable: agreement waits for that several times per block. */
function checkSync(folder: string): Check {
  const dir = mkdtempSync(join(folder, '.cairn-doctor-'));
  try {
    const file = openSync(join(dir, 'probe'), 'w');
    const tookMs: number[] = [];
    for (let i = 0; i < SYNC_SAMPLES; i++) {
      writeSync(file, Buffer.alloc(512, i));
      const startedMs = performance.now();
      fdatasyncSync(file);
      tookMs.push(performance.now() - startedMs);
    }
    closeSync(file);
    tookMs.sort((a, b) => a - b);
    const median = tookMs[SYNC_SAMPLES >> 1]!;
    const found = `a durable write takes ${median.toFixed(2)} ms (median), ${tookMs.at(-1)!.toFixed(2)} ms at most, in ${resolve(folder)}`;
    if (median > SYNC_BAD_MS)
      return { name: 'disk sync', verdict: 'bad', found, advice: 'the disk is too slow for a validator' };
    if (median > SYNC_WARN_MS)
      return {
        name: 'disk sync',
        verdict: 'warn',
        found,
        advice: 'every block waits for some of these; an SSD takes a few ms',
      };
    return { name: 'disk sync', verdict: 'good', found };
  } catch (error) {
    return {
      name: 'disk sync',
      verdict: 'bad',
      found: `${resolve(folder)} cannot be written: ${(error as Error).message}`,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function checkSpace(folder: string): Check {
  const { bavail, bsize } = statfsSync(folder);
  const gib = (bavail * bsize) / 1024 ** 3;
  const found = `${gib.toFixed(1)} GiB free in ${resolve(folder)}`;
  if (gib < FREE_BAD_GIB)
    return { name: 'disk space', verdict: 'bad', found, advice: 'a node that cannot write stops; make room' };
  return gib < FREE_WARN_GIB
    ? { name: 'disk space', verdict: 'warn', found, advice: 'a million readings take some 100 MB; plan ahead' }
    : { name: 'disk space', verdict: 'good', found };
}

/** Compares the clock with those of the nodes, and their versions with each other. */
async function checkNetwork(options: NetworkOptions): Promise<Check[]> {
  try {
    if (options.node === undefined && findNetworkFile(options) === null)
      return [
        {
          name: 'network',
          verdict: 'warn',
          found: 'no network is named',
          advice: 'with --network or --node the clock is compared with its nodes',
        },
      ];
    const answers = await Promise.all(
      connectEach(options, 3_000).map(async ({ node, client }) => ({ node, ...(await timedStatus(client)) })),
    );
    const reached = answers.filter((answer) => answer.version !== null);
    if (reached.length === 0)
      return [
        {
          name: 'network',
          verdict: 'warn',
          found: 'no node answers',
          advice: '`cairn status` shows which; start them, or name others with --node',
        },
      ];
    const versions = new Set(reached.map((answer) => answer.version));
    const offsets = reached.flatMap(({ offsetMs }) => (offsetMs === null ? [] : [offsetMs]));
    return [
      {
        name: 'network',
        verdict: reached.length === answers.length ? 'good' : 'warn',
        found: `${reached.length} of ${answers.length} nodes answer`,
      },
      versions.size === 1
        ? { name: 'versions', verdict: 'good', found: `all nodes run ${[...versions][0]}` }
        : {
            name: 'versions',
            verdict: 'warn',
            found: `nodes run ${[...versions].join(' and ')}`,
            advice: 'fine while upgrading; finish it before the next rules',
          },
      clockCheck(offsets),
    ];
  } catch (error) {
    if (error instanceof CommandFailed) return [{ name: 'network', verdict: 'bad', found: error.error.message }];
    throw error;
  }
}

async function timedStatus(
  client: ReturnType<typeof connectEach>[number]['client'],
): Promise<{ version: string | null; offsetMs: number | null }> {
  const status = await client.status();
  if (!status.ok) return { version: null, offsetMs: null };
  const response = await fetch(client.nodes[0]!, { signal: AbortSignal.timeout(3_000) }).catch(() => null);
  const date = Date.parse(response?.headers.get('date') ?? '');
  await response?.body?.cancel();
  return { version: status.value.node.version, offsetMs: Number.isNaN(date) ? null : Date.now() - date };
}

/** The Date header counts whole seconds: half a second is added for what was cut off. */
function clockCheck(offsetsMs: readonly number[]): Check {
  if (offsetsMs.length === 0) return { name: 'clock', verdict: 'warn', found: 'no node told its time' };
  const sorted = [...offsetsMs].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1]! - 500;
  const found = `this clock and those of the nodes differ by about ${(Math.abs(median) / 1000).toFixed(1)} s`;
  const advice = 'set the clock by NTP (for example systemd-timesyncd or chrony)';
  if (Math.abs(median) > CLOCK_BAD_MS) return { name: 'clock', verdict: 'bad', found, advice };
  return Math.abs(median) > CLOCK_WARN_MS
    ? { name: 'clock', verdict: 'warn', found, advice }
    : { name: 'clock', verdict: 'good', found };
}
