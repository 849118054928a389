/** Facts that execution reports besides verdicts: for logs, subscribers, and the node's table of keys. */
import type { KeyAlgorithm } from '../crypto/verifier.ts';
import type { KeyRole } from '../model/registered-key.ts';

export type LedgerEvent =
  | { readonly type: 'device-added'; readonly member: string; readonly device: string }
  | {
      readonly type: 'key-registered';
      readonly kid: Uint8Array;
      readonly algorithm: KeyAlgorithm;
      readonly publicKey: Uint8Array;
      readonly role: KeyRole;
      readonly member: string;
      readonly device: string | null;
      readonly fromHeight: number;
    }
  | { readonly type: 'key-revoked'; readonly kid: Uint8Array; readonly member: string; readonly untilHeight: number }
  | {
      readonly type: 'transferred';
      readonly from: string;
      readonly to: string;
      readonly asset: string;
      readonly amount: bigint;
    }
  | { readonly type: 'issued'; readonly asset: string; readonly amount: bigint; readonly to: string }
  | { readonly type: 'retired'; readonly asset: string; readonly amount: bigint; readonly from: string }
  | { readonly type: 'anchored'; readonly hash: Uint8Array; readonly documentType: string; readonly member: string }
  | {
      readonly type: 'misbehaviour';
      readonly validator: string;
      readonly member: string;
      readonly kind: string;
      readonly height: number;
    };
