/**
 * A thief has copied the keys of a node, and signs with them over links of its own, while the node goes on: two votes for one view,
 * and two batches with one number.
 */

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Batch,
  channelOf,
  createBatch,
  type Epoch,
  encodeMessage,
  type Height,
  type Message,
  type Proposal,
  type SignedVote,
  signBatch,
  signedBytes,
  toHash,
  type ValidatorIndex,
  type View,
  type Vote,
  voteSignedBytes,
} from '@cairn-ledger/core';
import { readNodeConfig } from '../../../config/node-config.ts';
import { createNodeSigner } from '../../../crypto/signer.ts';
import { type NodeKeys, readNodeKeys } from '../../../keys/node-keys.ts';
import { createTlsTransport } from '../../../transport/tls-transport.ts';
import { orFail } from '../../exit-code.ts';
import type { Attack, AttackScene } from '../attack.ts';

const everyMs = 100;
const viewsAhead = 3;
const batchLivesHeights = 1_000;

export const stealKey: Attack = {
  name: 'steal-key',
  what: 'a thief signs votes and batches with its keys, over links of its own',
  noticedBy: ['proven', 'refused'],
  shutOutBy: ['suspended', 'refused'],
  isWindowed: false,
  mayBeProven: true,
  voidsOwnPromises: false,
  needsNewKeys: true,
  isHarmless: false,
  async begin(scene) {
    const keys = orFail(readNodeKeys(orFail(readNodeConfig(scene.target.dir)).keysDir));
    const stopping = new AbortController();
    const beganMs = Date.now();
    const running = impersonate(scene, keys, stopping.signal);
    return {
      beganMs,
      async end() {
        stopping.abort();
        await running;
      },
    };
  },
};

async function impersonate(scene: AttackScene, keys: NodeKeys, signal: AbortSignal): Promise<void> {
  const { target, rest, network } = scene;
  const { ledgerHash } = network.genesis;
  const validators = [...network.genesis.genesis.validators].sort((a, b) => (a.id < b.id ? -1 : 1));
  const signer = validators.findIndex(({ id }) => id === target.id) as ValidatorIndex;
  const voting = createNodeSigner('ed25519', keys.voting.secretKey);
  const connected = new Set<string>();
  const transport = createTlsTransport({
    id: target.id,
    linkSecretKey: keys.link.secretKey,
    ledgerHash,
    listen: { host: '127.0.0.1', port: 0 },
    peers: rest.map(({ id, linkPort }) => ({
      id,
      linkKey: validators.find((validator) => validator.id === id)!.linkKey,
      addresses: [`127.0.0.1:${linkPort}`],
    })),
    events: {
      onFrame: () => undefined,
      onConnected: (peer) => void connected.add(peer),
      onDisconnected: (peer) => void connected.delete(peer),
    },
  });

  function send(message: Message): void {
    for (const { id } of rest) transport.send(id, channelOf(message), encodeMessage(message));
  }

  function sendVotes(epoch: number, view: number): void {
    for (const digest of [randomBytes(32), randomBytes(32)]) {
      const proposal: Proposal = {
        epoch: epoch as Epoch,
        view: view as View,
        parentView: (view - 1) as View,
        digest: toHash(new Uint8Array(digest)),
      };
      const vote: Vote = { type: 'notarize', proposal };
      const signed: SignedVote = { vote, signer, signature: voting.sign(voteSignedBytes(vote, toHash(ledgerHash))) };
      send({ type: 'vote', vote: signed, entry: null });
    }
  }

  /** Two batches with one number: the first of the epoch, which the node has used long since. */
  function sendBatches(epoch: number, height: number): void {
    for (let i = 0; i < 2; i++) {
      const unsigned = createBatch(
        {
          epoch: epoch as Epoch,
          author: signer,
          seq: 1,
          base: 1,
          previous: new Uint8Array(0),
          expiryHeight: (height + batchLivesHeights) as Height,
        },
        [new Uint8Array(randomBytes(64))],
      );
      const batch: Batch = signBatch(
        unsigned,
        voting.sign(signedBytes('batch', toHash(ledgerHash), unsigned.headerBytes)),
      );
      send({ type: 'batch', batch });
    }
  }

  await transport.start();
  try {
    while (!signal.aborted) {
      const status = await rest[0]!.client.status();
      if (status.ok && connected.size > 0) {
        const { epoch, view, executedHeight } = status.value;
        for (let ahead = 0; ahead < viewsAhead; ahead++) sendVotes(epoch, view + ahead);
        sendBatches(epoch, executedHeight);
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await transport.stop();
  }
}
