/** Mutants of agreement: the rules R1 to R8 of protocol.md section 3. */
import type { Mutant } from './mutant.ts';

const agreement = 'packages/core/src/protocol/agreement/agreement.ts';
const viewState = 'packages/core/src/protocol/agreement/view-state.ts';
const blockRules = 'packages/core/src/protocol/agreement/block-rules.ts';
const wanted = 'packages/core/src/protocol/agreement/wanted.ts';
const passOn = 'packages/core/src/protocol/agreement/pass-on.ts';
const epoch = 'packages/core/src/protocol/epochs/epoch.ts';
const door = 'packages/core/src/protocol/guard/door.ts';
const fetcher = 'packages/core/src/protocol/sync/fetcher.ts';
const delivery = 'packages/core/src/protocol/sync/delivery.ts';

const sizes = [4, 5] as const;

export const agreementMutants: readonly Mutant[] = [
  {
    name: 'quorum-of-two-f-plus-one',
    rule: 'section 1: Q = n - f; 2f + 1 is used though n is not 3f + 1',
    edits: [
      {
        file: epoch,
        find: 'faultsMax: validators.length - needed, quorum: needed',
        replace: 'faultsMax: validators.length - needed, quorum: 2 * (validators.length - needed) + 1',
      },
    ],
    profile: 'any',
    nodes: [5, 6],
  },
  {
    name: 'gap-check-removed',
    rule: 'R3: a nullification for every view between parent and proposal',
    edits: [
      { file: agreement, find: "if (!this.#hasNullifications(parentView, view, leader)) return 'wait';", replace: '' },
    ],
    profile: 'divided',
    nodes: [4],
  },
  {
    name: 'finalize-after-own-nullify',
    rule: 'R6: no finalize after an own nullify',
    edits: [
      {
        file: agreement,
        find: "state.proposalStatus === 'equivocated' || state.own.isNullified || state.own.finalize !== null) continue;",
        replace: "state.proposalStatus === 'equivocated' || state.own.finalize !== null) continue;",
      },
    ],
    profile: 'any',
    nodes: sizes,
  },
  {
    name: 'nullify-after-own-finalize',
    rule: 'R5: never after an own finalize, nor in a view already left (either covers the other)',
    edits: [
      {
        file: agreement,
        find: 'state.own.isNullified || state.own.finalize !== null || !this',
        replace: 'state.own.isNullified || !this',
      },
      {
        file: agreement,
        find: 'reason !== null && state.own.finalize === null && this',
        replace: 'reason !== null && this',
      },
      {
        file: agreement,
        find: 'if (state.own.finalize !== null) at = Number.POSITIVE_INFINITY;',
        replace: '',
      },
      {
        file: agreement,
        find: "if (isOk) this.#enterView(toView(state.view + 1), state.notarization, 'notarization');\n      else",
        replace: 'if (!isOk)',
      },
    ],
    profile: 'any',
    nodes: sizes,
  },
  {
    name: 'finalize-another-than-notarized',
    rule: 'R6: not with status equivocated, not against the own notarize',
    edits: [
      {
        file: agreement,
        find: "state.proposalStatus === 'equivocated' || state.own.isNullified || state.own.finalize",
        replace: 'state.own.isNullified || state.own.finalize',
      },
      {
        file: agreement,
        find: 'if (state.own.notarize !== null && !isSameProposal(state.own.notarize, proposal)) continue;',
        replace: '',
      },
    ],
    profile: 'equivocators',
    nodes: [4],
  },
  {
    name: 'local-proposal-stands-against-certificate',
    rule: "R4: the certificate's proposal replaces the local one",
    edits: [{ file: agreement, find: 'state.proposal = vote.proposal;', replace: 'state.proposal ??= vote.proposal;' }],
    profile: 'divided',
    nodes: [4],
  },
  {
    name: 'nullify-never-sent-again',
    rule: 'R5: every tRetry the nullify is sent again',
    edits: [
      {
        file: agreement,
        find: "this.#emitVote({ type: 'nullify', epoch: this.#context.set.epoch, view: state.view }, null, true);",
        replace: '',
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'no-help-for-those-behind',
    rule: 'R7: a nullify or a status of an older view is answered with certificates',
    edits: [
      {
        file: agreement,
        find: 'this.#help.help(peer, view, this.#bestEntry());',
        replace: '',
      },
    ],
    profile: 'lossy',
    nodes: sizes,
  },
  {
    name: 'neither-entry-certificate-nor-help',
    rule: 'R5 and R7: entry certificate and help',
    edits: [
      {
        file: agreement,
        find: "const entry = vote.type === 'nullify' && isResend ? this.#bestEntry() : null;",
        replace: 'const entry = null;',
      },
      { file: agreement, find: 'this.#help.help(peer, view, this.#bestEntry());', replace: '' },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'ancestry-never-asked-for',
    rule: 'R2, R3, R4: missing certificates are asked for',
    edits: [
      {
        file: agreement,
        find: 'this.#retryAtMs = Math.min(this.#retryAtMs, this.#help.ask(from, to, peers));',
        replace: '',
      },
    ],
    profile: 'gaps',
    nodes: [4],
  },
  {
    name: 'no-certifying-after-own-nullify',
    rule: 'R4: keep certifying after the own nullify',
    edits: [
      {
        file: agreement,
        find: "if (state.certification === 'ok' || state.certification === 'rejected') continue;",
        replace:
          "if (state.own.isNullified || state.certification === 'ok' || state.certification === 'rejected') continue;",
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'leader-waits-instead-of-proposing-again',
    rule: 'R2: re-proposal while checkpoint h - L is not certified',
    edits: [
      {
        file: agreement,
        find: 'if (!isParentFinalized && (parent.isBoundary || checkpoint === null)) {',
        replace: 'if (false) {',
      },
    ],
    profile: 'tight',
    nodes: [4],
  },
  {
    name: 're-proposals-not-exempt-from-block-rules',
    rule: 'R3: re-proposals are exempt from the checks of a new block (time, parent, height)',
    edits: [
      {
        file: agreement,
        find: 'const isRepeat = equalBytes(digest, parentDigest);',
        replace: 'const isRepeat = false;',
      },
    ],
    profile: 'tight',
    nodes: [4],
  },
  {
    name: 're-proposals-not-exempt-from-certification-rules',
    rule: 'R4: re-proposals are exempt when a view is certified',
    edits: [
      {
        file: agreement,
        find: "if (equalBytes(digest, parentDigest) && this.#isDurable(parentView, digest)) return 'ok';",
        replace: '',
      },
      { file: agreement, find: "if (equalBytes(digest, parentDigest)) return 'ok';", replace: '' },
    ],
    profile: 'tight',
    nodes: [4],
  },
  {
    name: 're-proposal-delayed-like-an-idle-leader',
    rule: 'section 3, "Timers": the leader proposes at once when it must re-propose',
    edits: [
      {
        file: agreement,
        find: 'this.#proposeAtMs = this.#enteredAtMs + this.#context.constants.deltaMs / 4;',
        replace: 'this.#proposeAtMs = this.#enteredAtMs + this.#context.constants.heartbeatMs;',
      },
    ],
    profile: 'tight',
    nodes: [4],
  },
  {
    name: 'certification-by-state-and-clock',
    rule: 'R4: certification checks nothing that depends on clock, checkpoint or state',
    edits: [
      {
        file: agreement,
        find: "return hangsTogether(block, parent, this.#ports.batches) ? 'ok' : 'rejected';",
        replace: "const v = this.#checkBlock(block, parentDigest);\n    return v === 'invalid' ? 'rejected' : v;",
      },
    ],
    profile: 'jumps',
    nodes: [4],
  },
  {
    name: 'payload-neither-held-to-notarize-nor-to-certify',
    rule: 'R3, R4: block and all listed batches are durable',
    edits: [
      {
        file: agreement,
        find: "if (!this.#holdsBatches(block, leader)) return 'wait';",
        replace: "if (!this.#holdsBatches(block, leader)) return 'ok';",
      },
      {
        file: agreement,
        find: "if (!this.#holdsBatches(block, signers)) return 'wait';",
        replace: "if (!this.#holdsBatches(block, signers)) return 'ok';",
      },
    ],
    profile: 'listers',
    nodes: [4],
  },
  {
    name: 'no-jump-to-later-views',
    rule: 'R1: a later certificate lets a node jump',
    edits: [
      {
        file: agreement,
        find: "if (view <= this.view && by !== 'start') return;",
        replace: "if (view !== this.view + 1 && by !== 'start') return;",
      },
    ],
    profile: 'any',
    nodes: sizes,
  },
  {
    name: 'certificates-never-broadcast',
    rule: 'R4, R5, R6: a certificate is broadcast at all',
    edits: [
      {
        file: passOn,
        find: 'if (to.length > 0 && this.#context.maySign)',
        replace: 'if (false)',
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'tally-mixes-proposals',
    rule: 'section 3, State: a certificate is a quorum for one statement',
    edits: [
      {
        file: viewState,
        find: '.filter((other) => isSameVote(other.vote, signed.vote))',
        replace: '',
      },
    ],
    profile: 'divided',
    nodes: [4, 7],
  },
  {
    name: 'floor-moves-back',
    rule: 'section 3, Recovery: the finalized floor never moves back',
    edits: [
      {
        file: wanted,
        find: 'if (view <= views.lastFinalized) return accountability.wantsCertificate(certificate);',
        replace: '',
      },
      {
        file: agreement,
        find: 'if (viewOfVote(vote) <= this.lastFinalized) return this.#ports.accountability.onCertificate(certificate);',
        replace: '',
      },
    ],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'certificates-of-too-few-signers',
    rule: 'section 3, Messages: a certificate has Q signatures',
    edits: [
      {
        file: door,
        find: 'if (certificate.signers.length < set.quorum)',
        replace: 'if (certificate.signers.length < set.faultsMax + 1)',
      },
    ],
    profile: 'forgers',
    nodes: [7],
  },
  {
    name: 'always-the-same-peer-is-asked',
    rule: 'section 7: who does not answer is not asked again and again, another one is',
    edits: [{ file: fetcher, find: 'wanted.next++;', replace: '' }],
    profile: 'withheld',
    nodes: [4],
  },
  {
    name: 'payload-asked-for-once',
    rule: 'section 7: what does not come is asked for again',
    edits: [
      {
        file: fetcher,
        find: 'wanted.askAtMs = this.#context.now.ms + this.#context.constants.deltaMs;',
        replace: 'wanted.askAtMs = Number.POSITIVE_INFINITY;',
      },
    ],
    profile: 'withheld',
    nodes: [4],
  },
  {
    name: 'pages-asked-of-one-peer',
    rule: 'section 7: a page of the chain is asked of another peer when none comes',
    edits: [
      {
        file: delivery,
        find: 'const peer = this.#pageFromPeer++ % count;',
        replace: 'const peer = (this.#pageFromPeer + tried) % count;',
      },
    ],
    profile: 'behind',
    nodes: [4],
  },
  {
    name: 'parent-digest-not-checked',
    rule: "R3, R4: a block's parent digest is its parent's",
    edits: [
      { file: blockRules, find: 'equalBytes(header.parent, parent.digest) && header.height', replace: 'header.height' },
    ],
    profile: 'benders',
    nodes: [4],
  },
  {
    name: 'status-not-sent-with-the-nullify',
    rule: 'R5, R7: a nullify sent again comes with a status, so that idle peers send a finalization that got lost',
    edits: [{ file: agreement, find: "if (this.#context.maySign) this.sendStatus('all');", replace: '' }],
    profile: 'lossy',
    nodes: [4],
  },
  {
    name: 'certificates-neither-owed-to-voters-nor-helped-with',
    rule: 'R4 to R7: a certificate reaches also those who voted for it (status and help cover it alone)',
    edits: [
      {
        file: passOn,
        find: 'const owed = voters.size === 0 ? null : { certificate, peers: voters, dueAtMs };',
        replace: 'const owed = null;',
      },
      { file: agreement, find: "if (this.#context.maySign) this.sendStatus('all');", replace: '' },
    ],
    profile: 'quiet',
    nodes: [4],
  },
  {
    name: 'block-time-not-growing',
    rule: "section 3, Block time: above the parent's",
    edits: [{ file: blockRules, find: ' && header.timeMs > parent.timeMs', replace: '' }],
    profile: 'benders',
    nodes: [4],
  },
  {
    name: 'block-time-far-ahead',
    rule: 'section 3, Block time: at most max(parent + 1 ms, own clock + clockDrift)',
    edits: [{ file: blockRules, find: 'if (aheadMs > 0)', replace: 'if (aheadMs > 1e12)' }],
    profile: 'benders',
    nodes: [4],
  },
  {
    name: 'height-not-checked',
    rule: 'R3, R4: height + 1',
    edits: [{ file: blockRules, find: 'header.height === parent.height + 1 && ', replace: '' }],
    profile: 'benders',
    nodes: [4],
  },
];
