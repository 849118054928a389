/**
 * The MQTT topics of one ledger (wire-format.md section 6): what comes in, and where answers go.
 *
 *   in   cairn/<ledger>/tx                        one signed transaction, COSE bytes
 *   in   cairn/<ledger>/senml/<member>/<device>   unsigned SenML, JSON or CBOR; the gateway attests it
 *   out  cairn/<ledger>/result/<id>               the verdict, JSON; <id> is the transaction id in lower-case hex
 *   out  cairn/<ledger>/result/<id>/receipt       the receipt bundle, raw CBOR bytes
 *   out  cairn/<ledger>/rejected/<rest>           what never became a transaction, JSON; <rest> is what followed <ledger>/,
 *                                                 without the leading `senml/`
 *
 * `<ledger>` is the audience of its transactions: base64url of the first 8 bytes of the ledger hash, 11 characters.
 */

import { isName } from '@cairn-ledger/core';

/** Rejections echo the publisher's own topic only up to this length; a longer one is answered at `rejected/senml`. */
const ECHOED_TOPIC_CHARS_MAX = 200;

export type IncomingTopic =
  | { readonly type: 'signed' }
  | { readonly type: 'unsigned'; readonly member: string; readonly device: string }
  | { readonly type: 'unknown' };

export type Topics = {
  /** What the gateway of a member subscribes to. Below its `senml/<member>` all, so that a wrong topic is answered. */
  subscriptions(member: string, takesSigned: boolean): string[];
  parse(topic: string): IncomingTopic;
  result(idHex: string): string;
  receipt(idHex: string): string;
  rejected(topic: string): string;
};

/** @param ledger the audience text of the ledger's transactions, 11 characters */
export function topicsOf(ledger: string): Topics {
  const root = `cairn/${ledger}/`;
  return {
    subscriptions: (member, takesSigned) => [...(takesSigned ? [`${root}tx`] : []), `${root}senml/${member}/#`],
    parse: (topic) => (topic.startsWith(root) ? parseRest(topic.slice(root.length)) : { type: 'unknown' }),
    result: (idHex) => `${root}result/${idHex}`,
    receipt: (idHex) => `${root}result/${idHex}/receipt`,
    rejected: (topic) => {
      const rest = topic.startsWith(root) ? topic.slice(root.length).replace(/^senml\//, '') : 'senml';
      return `${root}rejected/${rest.length > 0 && rest.length <= ECHOED_TOPIC_CHARS_MAX ? rest : 'senml'}`;
    },
  };
}

function parseRest(rest: string): IncomingTopic {
  if (rest === 'tx') return { type: 'signed' };
  const [kind, member, device, ...more] = rest.split('/', 5);
  if (kind !== 'senml' || member === undefined || device === undefined || more.length > 0) return { type: 'unknown' };
  return isName(member) && isName(device) ? { type: 'unsigned', member, device } : { type: 'unknown' };
}
