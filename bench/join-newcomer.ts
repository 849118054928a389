/**
 * The process that joins, in an empty folder: by a certified state, or (`full`) by every block from the genesis on. Tells
 * its parent how long it took, from the first request until the database is complete and durable.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { equalBytes, genesisToLedgerHash } from '../packages/core/src/index.ts';
import { installNodeSha256 } from '../packages/node/src/crypto/sha256.ts';
import { createNodeSigner } from '../packages/node/src/crypto/signer.ts';
import { sodiumVerifier } from '../packages/node/src/crypto/sodium-verifier.ts';
import { openPartCache } from '../packages/node/src/healing/part-cache.ts';
import { createPeers } from '../packages/node/src/healing/peers.ts';
import { syncState } from '../packages/node/src/healing/sync-state.ts';
import { type ChainDb, openChainDb } from '../packages/node/src/storage/chain-db.ts';
import { createChainExecutor } from '../packages/node/src/threads/chain-executor.ts';
import { joinGenesis, linkSecretOf, sizeOfDatabase } from './join-chain.ts';
import { askOverLink } from './join-link.ts';
import { replayChain } from './join-replay.ts';

export type JoinTimes = {
  readonly height: number;
  readonly syncMs: number;
  /** Of it: until everything is fetched and verified. */
  readonly fetchMs: number;
  /** Work of this process, on all its threads: what others do on the machine does not count. */
  readonly cpuMs: number;
  readonly bytesFetched: number;
  /** Of the database that came of it. */
  readonly joinedBytes: number;
};

installNodeSha256();
const [address, mode, height] = process.argv.slice(2);
const genesis = joinGenesis();
const ledgerHash = genesisToLedgerHash(genesis);
const anchor = { genesis, ledgerHash };
const dir = mkdtempSync(join(tmpdir(), 'cairn-newcomer-'));
const path = join(dir, 'chain.db');
const server = createNodeSigner('ed25519', linkSecretOf('node-1'));
const { port, stop } = await askOverLink({
  id: 'newcomer',
  linkSecretKey: linkSecretOf('newcomer'),
  ledgerHash,
  peer: { id: 'node-1', linkKey: server.publicKey, addresses: [address!] },
});
const peers = createPeers({
  port,
  signal: new AbortController().signal,
  timeoutMs: 60_000,
  onWrong: (_, what) => {
    throw new Error(what);
  },
});
const startedMs = performance.now();
const startedCpu = process.cpuUsage();
const chain = open();
const fetchMs = mode === 'full' ? await replay() : await sync();
const syncMs = performance.now() - startedMs;
const cpu = process.cpuUsage(startedCpu);
const tip = chain.tip()!;
// It can go on: what a node does next.
createChainExecutor(genesis, ledgerHash, chain);
if (!equalBytes(chain.latestCertified()!.statement, chain.checkpoint(tip.height)!.statement))
  throw new Error('the tip is not certified');
chain.close();
await stop();
const times: JoinTimes = {
  height: tip.height,
  syncMs,
  fetchMs,
  cpuMs: (cpu.user + cpu.system) / 1000,
  bytesFetched: peers.bytesFetched(),
  joinedBytes: sizeOfDatabase(path),
};
rmSync(dir, { recursive: true, force: true });
process.send!(times, () => process.disconnect());

function open(): ChainDb {
  const opened = openChainDb(path, { ledgerHash });
  if (!opened.ok) throw opened.error;
  return opened.value;
}

async function sync(): Promise<number> {
  const cache = openPartCache(`${path}.parts`);
  const synced = await syncState({ anchor, peers, verifier: sodiumVerifier, cache });
  if (!synced.ok) throw new Error(synced.error.message);
  const fetchedMs = performance.now() - startedMs;
  const imported = chain.importSnapshot(synced.value.snapshot);
  if (!imported.ok) throw new Error(imported.error.message);
  cache.remove();
  return fetchedMs;
}

async function replay(): Promise<number> {
  await replayChain(anchor, chain, peers, Number(height));
  return performance.now() - startedMs;
}
