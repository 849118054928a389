/** What a message says, in a line (protocol.md sections 2 to 7). */
import { type Certificate, type Message, unreachable, type Vote } from '@cairn-ledger/core';
import { batchText, type TraceNames } from './trace-names.ts';

const certificateNames = { notarize: 'notarization', nullify: 'nullification', finalize: 'finalization' } as const;

export function voteText(vote: Vote, names: TraceNames): string {
  if (vote.type === 'nullify') return `nullify view ${vote.view}`;
  const { view, digest, parentView } = vote.proposal;
  return `${vote.type} ${names.block(digest)} in view ${view} on view ${parentView}`;
}

export function certificateText({ vote }: Certificate, names: TraceNames): string {
  const name = certificateNames[vote.type];
  if (vote.type === 'nullify') return `${name} of view ${vote.view}`;
  return `${name} of ${names.block(vote.proposal.digest)} in view ${vote.proposal.view}`;
}

export function messageText(message: Message, names: TraceNames): string {
  switch (message.type) {
    case 'proposal':
      names.meet(message.block);
      return `proposal: ${voteText(message.vote.vote, names)} (${names.describe(message.block.digest)})`;
    case 'vote':
      return `vote: ${voteText(message.vote.vote, names)}${
        message.entry === null ? '' : `, with the ${certificateText(message.entry, names)}`
      }`;
    case 'certificate':
      return `certificate: ${certificateText(message.certificate, names)} by ${message.certificate.signers.join(', ')}`;
    case 'acknowledgement':
      return `acknowledgement: ${message.rows.map(({ author, seq }) => `${author}/${seq}`).join(', ')}`;
    case 'checkpoint-signatures':
      return `checkpoint signatures: ${message.signatures.map(({ signer, statement }) => `height ${statement.height} by ${signer}`).join(', ')}`;
    case 'status':
      return `status: view ${message.view}, finalized view ${message.lastFinalized}, height ${message.height}`;
    case 'request-certificates':
      return `asks for the certificates of views ${message.from} to ${message.to}`;
    case 'request-block':
      return `asks for block ${names.block(message.digest)}`;
    case 'request-batch':
      return 'asks for a batch';
    case 'request-checkpoint':
      return `asks for the checkpoint of height ${message.height}`;
    case 'request-boundary':
      return `asks for the boundary of epoch ${message.epoch}`;
    case 'request-chain':
      return `asks for the chain from height ${message.from}`;
    case 'block':
      names.meet(message.block);
      return `block ${names.block(message.block.digest)}: ${names.describe(message.block.digest)}`;
    case 'batch':
      return batchText(message.batch);
    case 'chain': {
      const heights = message.blocks.map(({ header }) => header.height);
      return `chain: heights ${heights[0]} to ${heights.at(-1)}, with the ${certificateText(message.finalization, names)}`;
    }
    case 'evidence':
      return `evidence: ${message.proof.type} of ${message.proof.accused}`;
    case 'request-snapshot':
      return `asks for a snapshot from height ${message.from}`;
    case 'request-state':
      return `asks for ${message.paths.length} parts of the state of height ${message.height}`;
    case 'request-tiles':
      return `asks for tiles of the history of ${message.size} transactions`;
    case 'request-outcome':
      return `asks for the outcome of height ${message.height}`;
    case 'snapshot':
      return message.snapshot === null ? 'no snapshot now' : `snapshot of height ${message.snapshot.height}`;
    case 'state':
      return `${message.parts?.length ?? 'no'} parts of the state of height ${message.height}`;
    case 'tiles':
      return `${message.tiles?.length ?? 'no'} tiles of the history of ${message.size} transactions`;
    case 'request-epochs':
      return `asks how epochs ended, from ${message.from} on`;
    case 'epochs':
      return `how ${message.proofs.length} epochs ended`;
    case 'outcome':
      return `outcome of height ${message.height}`;
    case 'transactions':
      return `hands over ${message.transactions.length} transactions`;
    default:
      return unreachable(message);
  }
}
