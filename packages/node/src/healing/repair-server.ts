/**
 * What a node answers while it is under repair itself: whatever of its chain still proves itself. So nodes that were damaged in
 * different places at once mend each other, also when no whole one is left.
 *
 * What it gives out it has verified first, as whoever asks will: a damaged row must not pass for a lie. Its state, and so a snapshot, is
 * given only where all of it has the root of its checkpoint. It reads through a connection of its own.
 */
import {
  admitMessage,
  createStateTree,
  decodeCheckpointStatement,
  equalBytes,
  isRightEdge,
  type Message,
  type StateTree,
  type Tile,
  toValidatorIndex,
  type Verifier,
} from '@cairn-ledger/core';
import { noAnswerTo } from '../threads/no-answer.ts';
import { serveFromStorage } from '../threads/serve-from-storage.ts';
import { type ChainFile, openChainFile } from './chain-file.ts';
import { orNull } from './chain-top.ts';
import { epochToSet, type KnownEpoch, type SyncAnchor, storedEpochs } from './known-epochs.ts';
import { createSnapshotServer, type SnapshotServer } from './snapshot-server.ts';
import { fullTileBytes, isFullTileTrue } from './stored-tile.ts';

export type RepairServer = {
  /** Null, or that there is none, where nothing is held, or what is held does not prove itself. */
  reply(request: Message): Message | null;
  /** To be called before the file is moved: nothing is served from then on. */
  close(): void;
};

type Serving = {
  readonly file: ChainFile;
  readonly epochs: readonly KnownEpoch[];
  readonly snapshots: SnapshotServer;
  /** Built when somebody asks for the first time: it takes as long as the state is large. */
  readonly isStateSound: () => boolean;
};

/** @param path of chain.db, which may be damaged, or be missing */
export function createRepairServer(path: string, anchor: SyncAnchor, verifier: Verifier): RepairServer {
  let isClosed = false;
  let serving: Serving | null = null;

  /** Opened at the first request, and again as long as it cannot be. */
  function open(): Serving | null {
    if (serving !== null || isClosed) return serving;
    const opened = openChainFile(path, { readOnly: true });
    if (!opened.ok) return null;
    const file = opened.value;
    const epochs = orNull(() => storedEpochs(anchor, file.chain, verifier));
    if (epochs === null) {
      file.close();
      return null;
    }
    let tree: StateTree | null | undefined;
    const soundTree = (): StateTree | null => {
      if (tree === undefined) tree = orNull(() => treeIfSound(file));
      return tree ?? null;
    };
    const snapshots = createSnapshotServer({
      path,
      chain: file.chain,
      // Asked for a state only where it is sound.
      stateTree: { freeze: () => soundTree()!.freeze() },
      checkpointLag: anchor.genesis.parameters.checkpointLag,
      now: () => performance.now(),
    });
    serving = { file, epochs, snapshots, isStateSound: () => soundTree() !== null };
    return serving;
  }

  function answerOf(request: Message): Message | null {
    const opened = open();
    if (opened === null) return null;
    const { file, epochs, snapshots, isStateSound } = opened;
    switch (request.type) {
      case 'request-snapshot':
        return isStateSound() ? snapshots.serve(request) : { type: 'snapshot', snapshot: null };
      case 'request-state':
        return isStateSound() ? snapshots.serve(request) : null;
      case 'request-outcome':
        return snapshots.serve(request);
      case 'request-tiles': {
        const answer = snapshots.serve(request);
        const areTrue =
          answer?.type === 'tiles' && answer.tiles !== null && areProven(file, request.size, answer.tiles);
        return areTrue ? answer : { type: 'tiles', size: request.size, tiles: null };
      }
      default: {
        const answer = serveFromStorage(file.chain, request);
        return answer === null ? null : provenPart(answer, epochs);
      }
    }
  }

  /** What whoever asks would find true. */
  function provenPart(answer: Message, epochs: readonly KnownEpoch[]): Message | null {
    switch (answer.type) {
      case 'block':
        return answer;
      case 'epochs': {
        const proofs = answer.proofs.filter(({ signatures }) => signatures[0]!.statement.epoch < epochs.length);
        return { ...answer, proofs };
      }
      case 'batch':
        return isAdmitted(answer, answer.batch.header.epoch, epochs) ? answer : null;
      case 'certificate':
        return answer.certificate.vote.type === 'finalize' &&
          isAdmitted(answer, answer.certificate.vote.proposal.epoch, epochs)
          ? answer
          : null;
      case 'chain':
        return answer.finalization.vote.type === 'finalize' &&
          isAdmitted(answer, answer.finalization.vote.proposal.epoch, epochs)
          ? answer
          : null;
      case 'checkpoint-signatures': {
        const [first] = answer.signatures;
        return first !== undefined && isAdmitted(answer, first.statement.epoch, epochs) ? answer : null;
      }
      default:
        return null;
    }
  }

  function isAdmitted(answer: Message, epoch: number, epochs: readonly KnownEpoch[]): boolean {
    const known = epochs[epoch - 1];
    if (known === undefined) return false;
    return admitMessage(answer, toValidatorIndex(0), epochToSet(known), anchor.ledgerHash, verifier).ok;
  }

  return {
    reply: (request) =>
      request.type.startsWith('request-') ? (orNull(() => answerOf(request)) ?? noAnswerTo(request)) : null,
    close() {
      isClosed = true;
      orNull(() => serving?.snapshots.close());
      orNull(() => serving?.file.close());
      serving = null;
    },
  };
}

/** The tree over the whole state, where it has the root of the checkpoint of its height. */
function treeIfSound({ chain }: ChainFile): StateTree | null {
  const tree = createStateTree(chain.entries);
  const stored = chain.checkpoint(chain.tip()?.height ?? -1);
  const statement = stored === null ? null : decodeCheckpointStatement(stored.statement);
  return statement?.ok && equalBytes(statement.value.stateRoot, tree.root()) ? tree : null;
}

/** Full tiles are what the tile above has for them; those of the right edge have the root of a checkpoint of that size. */
function areProven(file: ChainFile, size: number, tiles: readonly Tile[]): boolean {
  const full = tiles.filter(({ hashes }) => hashes.length === fullTileBytes);
  const areFullTrue = full.every((tile) => isFullTileTrue(file.chain, tile, tile.hashes));
  if (!areFullTrue || full.length === tiles.length) return areFullTrue;
  const row = file.database.sqlite
    .prepare(
      'SELECT statement FROM checkpoints JOIN blocks USING (height) WHERE history_size = ? ORDER BY height LIMIT 1',
    )
    .get(size) as { statement: Uint8Array } | undefined;
  const statement = row === undefined ? null : decodeCheckpointStatement(row.statement);
  return statement?.ok === true && isRightEdge(tiles, size, statement.value.historyRoot);
}
