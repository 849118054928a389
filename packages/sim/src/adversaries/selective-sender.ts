/**
 * Selective sender: whatever it says about a view, it says to some of the others only, chosen anew for each view and kind
 * of message.
 *
 * Wants some nodes to hold a certificate that the others never see, so that they part ways. Stopped by: every certificate
 * is passed on once to those who lack it (R4 to R6), nullifies are sent again with the certificate of entry (R5), and
 * those behind are helped (R7).
 */
import { type Message, viewOfVote } from '@cairn-ledger/core';
import type { Adversary, AdversaryParts } from './adversary.ts';

/** Choices remembered. */
const choicesMax = 256;

export function createSelectiveSender({ nodesCount, random }: AdversaryParts): Adversary {
  const share = random.pick([0.2, 0.5, 0.8]);
  const choices = new Map<string, readonly boolean[]>();
  const topicOf = (message: Message): string | null => {
    switch (message.type) {
      case 'proposal':
        return `proposal ${viewOfVote(message.vote.vote)}`;
      case 'vote':
        return `${message.vote.vote.type} ${viewOfVote(message.vote.vote)}`;
      case 'certificate':
        return `certificate ${viewOfVote(message.certificate.vote)}`;
      case 'batch':
        return `batch ${message.batch.header.author} ${message.batch.header.seq}`;
      default:
        return null;
    }
  };
  const isChosen = (topic: string, to: number): boolean => {
    let chosen = choices.get(topic);
    if (chosen === undefined) {
      chosen = Array.from({ length: nodesCount }, () => random.chance(share));
      choices.set(topic, chosen);
      if (choices.size > choicesMax) choices.delete(choices.keys().next().value!);
    }
    return chosen[to]!;
  };
  return {
    name: 'selective-sender',
    rewrite: (message, to) => {
      const topic = topicOf(message);
      return topic === null || isChosen(topic, to) ? [message] : [];
    },
  };
}
