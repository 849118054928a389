/**
 * Lying syncer: whoever is behind and asks it gets lies: heights that do not exist, then lower ones; pages of the chain with a
 * block changed, missing or moved; another block than was asked for, another batch, certificates of other views,
 * checkpoint signatures under results that are nobody's.
 *
 * Wants a node that catches up to take in a wrong chain, or to wait for ever. Stopped by (section 7): a page proves itself by
 * its links and its finalization, a block or batch by its digest, a claim about a height is never believed, and the next
 * peer is asked when one does not help.
 */
import {
  type Block,
  type CheckpointSignature,
  createBlock,
  type Message,
  sha256,
  signCheckpoint,
  toHeight,
  toView,
} from '@cairn-ledger/core';
import { type Adversary, type AdversaryParts, Recent } from './adversary.ts';

export function createLyingSyncer(parts: AdversaryParts): Adversary {
  const { random } = parts;
  const blocks = new Recent<Block>(64);
  const others = new Recent<Message>(64);
  const hear = (message: Message): void => {
    if (message.type === 'proposal') blocks.add(message.block);
    if (message.type === 'batch' || message.type === 'certificate') others.add(message);
  };
  const lie = (message: Message): Message | null => {
    switch (message.type) {
      case 'status': {
        const isHigh = random.chance(0.5);
        const by = isHigh ? 1_000_000 : -random.integer(0, 50);
        return {
          ...message,
          view: toView(Math.max(0, message.view + by)),
          lastFinalized: toView(Math.max(0, message.lastFinalized + by)),
          height: toHeight(Math.max(0, message.height + by)),
        };
      }
      case 'chain':
        return { ...message, blocks: falsePage(message.blocks, parts) };
      case 'block': {
        const other = blocks.pick(random);
        return other === null ? null : { type: 'block', block: random.chance(0.5) ? other : changed(message.block) };
      }
      case 'batch':
      case 'certificate':
        return others.pick(random);
      case 'checkpoint-signatures':
        return { ...message, signatures: message.signatures.map((signature) => falseResult(signature, parts)) };
      default:
        return message;
    }
  };
  return {
    name: 'lying-syncer',
    hear,
    rewrite: (message) => {
      // Its own batches and results stay true now and then, or nobody would wait for its answers.
      if (message.type === 'batch' && message.batch.header.author === parts.self) return [message];
      if (random.chance(0.3)) return [message];
      const lied = lie(message);
      return lied === null ? [] : [lied];
    },
  };
}

function changed({ header, batches }: Block): Block {
  return createBlock({ ...header, timeMs: header.timeMs + 1 }, batches, []);
}

function falsePage(blocks: readonly Block[], { random }: AdversaryParts): readonly Block[] {
  const at = random.integer(0, blocks.length - 1);
  switch (random.integer(0, 4)) {
    case 0:
      return blocks.map((block, i) => (i === at ? changed(block) : block));
    case 1:
      return blocks.filter((_, i) => i !== at);
    case 2:
      return blocks.slice(0, at);
    case 3:
      return [...blocks].reverse();
    default:
      return blocks.map((block, i) => (i < blocks.length - 1 ? changed(block) : block));
  }
}

/** The same height with a history that nobody has: signed by this node, or in the name of who signed the true one. */
function falseResult(signature: CheckpointSignature, parts: AdversaryParts): CheckpointSignature {
  const statement = { ...signature.statement, historyRoot: sha256(signature.statement.historyRoot) };
  if (signature.signer !== parts.self) return { ...signature, statement };
  const { checkpointSigner, validator } = parts;
  return signCheckpoint(statement, signature.signer, validator, signature.issuedSeconds, checkpointSigner);
}
