/** The process that is joined: serves one chain database until its parent ends it. Prints where it listens when it is ready. */
import process from 'node:process';
import { createStateTree, genesisToLedgerHash } from '../packages/core/src/index.ts';
import { installNodeSha256 } from '../packages/node/src/crypto/sha256.ts';
import { createNodeSigner } from '../packages/node/src/crypto/signer.ts';
import { createSnapshotServer } from '../packages/node/src/healing/snapshot-server.ts';
import { openChainDb } from '../packages/node/src/storage/chain-db.ts';
import { serveFromStorage } from '../packages/node/src/threads/serve-from-storage.ts';
import { joinGenesis, linkSecretOf } from './join-chain.ts';
import { serveOverLink } from './join-link.ts';

installNodeSha256();
const path = process.argv[2]!;
const genesis = joinGenesis();
const ledgerHash = genesisToLedgerHash(genesis);
const opened = openChainDb(path, { ledgerHash });
if (!opened.ok) throw opened.error;
const chain = opened.value;
// A node that runs has it in memory.
const stateTree = createStateTree(chain.entries);
const server = createSnapshotServer({
  path,
  chain,
  stateTree,
  checkpointLag: genesis.parameters.checkpointLag,
  now: () => performance.now(),
  onDamage: (what) => {
    throw new Error(what);
  },
});
const newcomer = createNodeSigner('ed25519', linkSecretOf('newcomer'));
const link = await serveOverLink(
  {
    id: 'node-1',
    linkSecretKey: linkSecretOf('node-1'),
    ledgerHash,
    peer: { id: 'newcomer', linkKey: newcomer.publicKey, addresses: [] },
  },
  (request) => server.serve(request) ?? serveFromStorage(chain, request),
);
const { host, port } = link.address()!;
process.send!({ address: `${host}:${port}`, entries: stateTree.entryCount(), height: chain.tip()!.height });
const startedCpu = process.cpuUsage();
process.on('message', () => {
  const { user, system } = process.cpuUsage(startedCpu);
  process.send!({ cpuMs: (user + system) / 1000 });
});
process.on('disconnect', () => process.exit(0));
