/**
 * anchor: fixes the SHA-256 of a document at a height. Any registered key may; the first anchor of a member for a hash
 * stands, and anchoring again changes nothing.
 *
 *     [ 6, hash: bstr .size 32, type: tstr ]     ; type: what the document is, usually a media type
 */
import { toHex } from '../../bytes/hex.ts';
import { bytesOf, requireShape, textOf } from '../../bytes/shape.ts';
import { anchorKind, anchorTypeMax, paths } from '../records.ts';
import type { OperationKind } from './operation.ts';

export type Anchor = { readonly hash: Uint8Array; readonly documentType: string };

export const anchor: OperationKind<Anchor> = {
  code: 6,
  name: 'anchor',
  toCbor: ({ hash, documentType }) => [6, hash, documentType],
  read(items) {
    requireShape(items.length === 2, 'anchor takes 2 arguments');
    return { hash: bytesOf(items[0]!, 'hash', 32), documentType: textOf(items[1]!, 'type', anchorTypeMax) };
  },
  apply({ state, actor, height, transaction, events }, { hash, documentType }) {
    const path = paths.anchor(toHex(hash), actor.member);
    if (state.get(anchorKind, path) !== null) return null;
    state.set(anchorKind, path, { type: documentType, height, transaction });
    events.push({ type: 'anchored', hash, documentType, member: actor.member });
    return null;
  },
};
