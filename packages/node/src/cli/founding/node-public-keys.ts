/** The public keys of a node, as its operator gives them to whoever writes the genesis: `public.json`. */
import type { CairnError, Result } from '@cairn-ledger/core';
import { type PublicKey, publicKeyToText, textToPublicKey } from '@cairn-ledger/sdk';
import { type Field, fieldsOf, readJsonFile, refuse, required, textOf } from '../../config/json-file.ts';
import { type NodeKeys, type NodeKeyUse, nodeKeyUses } from '../../keys/node-keys.ts';

export type NodePublicKeys = Readonly<Record<NodeKeyUse, string>>;

export function nodePublicKeys(keys: NodeKeys): NodePublicKeys {
  return Object.fromEntries(nodeKeyUses.map((use) => [use, publicKeyToText(keys[use])])) as Record<NodeKeyUse, string>;
}

export function readNodePublicKeys(path: string): Result<Record<NodeKeyUse, PublicKey>, CairnError> {
  return readJsonFile(path, (root) => {
    const fields = fieldsOf(root, nodeKeyUses);
    const keys = nodeKeyUses.map((use) => [use, readPublicKey(required(fields[use], root, use))]);
    return Object.fromEntries(keys) as Record<NodeKeyUse, PublicKey>;
  });
}

/** A public key in text, for use inside `readJsonFile`. */
export function readPublicKey(field: Field): PublicKey {
  const key = textToPublicKey(textOf(field));
  if (!key.ok) refuse(field, `is no key: ${key.error.message}`);
  return key.value;
}
