/** Mutants of persistence and recovery: protocol.md section 3, "Persist before sending" and "Recovery". */
import type { Mutant } from './mutant.ts';

const driver = 'packages/node/src/driver/driver.ts';
const turns = 'packages/node/src/driver/turns.ts';
const recordsOfEffects = 'packages/node/src/driver/records-of-effects.ts';
const safetyRecord = 'packages/node/src/driver/safety-record.ts';
const recovery = 'packages/core/src/protocol/agreement/recovery.ts';
const agreement = 'packages/core/src/protocol/agreement/agreement.ts';
const liveRecords = 'packages/core/src/protocol/live-records.ts';
const batchBook = 'packages/core/src/protocol/batches/batch-book.ts';
const ownBatches = 'packages/core/src/protocol/batches/own-batches.ts';

const persistCertificate = "this.#context.emit({ type: 'persist', record: { type: 'certificate', certificate } });";

/** Drops the records of one kind of vote, and the mark that would show the loss. */
function voteNotPersisted(type: 'notarize' | 'nullify'): Mutant {
  return {
    name: `${type}-not-persisted`,
    rule: `persist before sending: ${type}`,
    edits: [
      {
        file: recordsOfEffects,
        find: 'return effect.isResend ? null : recordOfSigning(effect);',
        replace: `return effect.isResend || (effect.type === 'vote' && effect.vote.type === '${type}') ? null : recordOfSigning(effect);`,
      },
      {
        file: safetyRecord,
        find: 'return [{ epoch: epochOfVote(record.vote), view: viewOfVote(record.vote), vote: voteRank[record.vote.type] }];',
        replace: `return record.vote.type === '${type}' ? [] : [{ epoch: epochOfVote(record.vote), view: viewOfVote(record.vote), vote: voteRank[record.vote.type] }];`,
      },
    ],
    profile: 'any',
    nodes: [4],
  };
}

export const recoveryMutants: readonly Mutant[] = [
  voteNotPersisted('notarize'),
  voteNotPersisted('nullify'),
  {
    name: 'sent-before-durable',
    rule: 'order: journal, then send',
    edits: [
      {
        file: turns,
        find: 'if (!this.#hasUnsyncedRecords) return this.#performAll(turn);',
        replace:
          'if (this.#hasUnsyncedRecords) this.#ports.journal.sync(() => undefined);\n    this.#hasUnsyncedRecords = false;\n    if (!this.#hasUnsyncedRecords) return this.#performAll(turn);',
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'nullify-forgotten-in-a-restart',
    rule: 'Recovery: restore all marks (nullify)',
    edits: [
      {
        file: recovery,
        find: "if (vote.type === 'nullify') state.own.isNullified = true;",
        replace: "if (vote.type === 'nullify') state.own.isNullified = false;",
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'notarize-forgotten-in-a-restart',
    rule: 'Recovery: restore all marks (notarize); a leader sends the same proposal again',
    edits: [
      {
        file: recovery,
        find: "else if (vote.type === 'notarize') state.own.notarize = vote.proposal;",
        replace: "else if (vote.type === 'notarize') state.own.notarize = null;",
      },
      { file: recovery, find: 'state.proposal ??= vote.proposal;', replace: '' },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'finalize-and-its-notarization-forgotten-in-a-restart',
    rule: 'Recovery: restore all marks (finalize), and certificates (either covers the other)',
    edits: [
      { file: recovery, find: 'else state.own.finalize = vote.proposal;', replace: '' },
      { file: agreement, find: persistCertificate, replace: '' },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'own-votes-not-put-back-into-the-tally',
    rule: 'Recovery: put own votes back into the tallies',
    edits: [
      {
        file: driver,
        find: 'return this.#vote(effect.vote, effect.block, effect.entry);',
        replace: 'return this.#vote(effect.vote, effect.block, effect.entry, effect.isResend);',
      },
      {
        file: driver,
        find: '#vote(vote: Vote, block: Block | null, entry: Certificate | null): void {',
        replace: '#vote(vote: Vote, block: Block | null, entry: Certificate | null, isResend: boolean): void {',
      },
      {
        file: driver,
        find: "this.input({ type: 'own-vote', signed });",
        replace: "if (!isResend) this.input({ type: 'own-vote', signed });",
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'certificates-not-persisted',
    rule: 'persist every certificate before passing it on',
    edits: [{ file: agreement, find: persistCertificate, replace: '' }],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'blocks-not-persisted',
    rule: 'notarize after block and batches are durable',
    edits: [
      {
        file: agreement,
        find: "state.proposalAtMs ??= this.#context.now.ms;\n      this.#context.emit({ type: 'persist', record: { type: 'block', block } });",
        replace: 'state.proposalAtMs ??= this.#context.now.ms;',
      },
      {
        file: agreement,
        find: "this.#ports.fetcher.forget('block', block.digest);\n    this.#context.emit({ type: 'persist', record: { type: 'block', block } });",
        replace: "this.#ports.fetcher.forget('block', block.digest);",
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'own-batch-numbers-forgotten',
    rule: 'section 2: the own batch and number are in the safety record before it is sent',
    edits: [
      {
        file: ownBatches,
        find: 'if (header.author !== this.#context.self || header.seq <= this.#seq) return;',
        replace: 'if (header.author !== this.#context.self || header.seq <= 1e9) return;',
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'restored-batches-dropped',
    rule: 'Recovery: what was acknowledged is held after a restart',
    edits: [
      {
        file: batchBook,
        find: 'if (chain === undefined || batch.header.seq <= chain.floor || this.has(batch.digest)) return;',
        replace:
          'if (chain === undefined || batch.header.author !== this.#context.self || batch.header.seq <= chain.floor || this.has(batch.digest)) return;',
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'journal-begun-anew-without-nullifies',
    rule: 'Recovery: a journal that begins anew holds all marks (nullify)',
    edits: [
      {
        file: liveRecords,
        find: 'if (own.isNullified) yield',
        replace: 'if (own.isNullified && own.notarize !== own.notarize) yield',
      },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'journal-begun-anew-without-certificates',
    rule: 'Recovery: a journal that begins anew holds all certificates',
    edits: [
      { file: liveRecords, find: "if (certificate !== null) yield { type: 'certificate', certificate };", replace: '' },
    ],
    profile: 'restarts',
    nodes: [4],
  },
  {
    name: 'journal-begun-anew-without-batches',
    rule: 'Recovery: a journal that begins anew holds all batches',
    edits: [
      { file: liveRecords, find: "for (const batch of batches.held()) yield { type: 'batch', batch };", replace: '' },
    ],
    profile: 'restarts',
    nodes: [4],
  },
];
