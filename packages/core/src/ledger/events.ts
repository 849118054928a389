/** Facts that execution reports besides verdicts: for logs, subscribers, and the node's table of keys. */
import type { KeyAlgorithm } from '../crypto/verifier.ts';
import type { Parameters } from '../model/parameters.ts';
import type { KeyRole } from '../model/registered-key.ts';
import type { Change } from './changes.ts';
import type { AttestVerdict, ProposalOutcome, RemovalCause, SuspensionCause } from './set-records.ts';

export type LedgerEvent =
  | MemberEvent
  | ValidatorEvent
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

/** What the members decide. */
type MemberEvent =
  | {
      readonly type: 'proposal-opened';
      readonly proposal: Uint8Array;
      readonly member: string;
      readonly change: Change['type'];
    }
  | {
      readonly type: 'proposal-voted';
      readonly proposal: Uint8Array;
      readonly member: string;
      readonly isYes: boolean;
    }
  | {
      readonly type: 'proposal-closed';
      readonly proposal: Uint8Array;
      readonly outcome: Exclude<ProposalOutcome, 'open'>;
      /** Why it was impossible, a code of the catalogue. */
      readonly code: string | null;
    }
  | { readonly type: 'member-added'; readonly member: string; readonly name: string }
  | { readonly type: 'parameters-changed'; readonly parameters: Parameters };

/** What becomes of validators. */
type ValidatorEvent =
  | { readonly type: 'validator-admitted'; readonly validator: string; readonly member: string }
  | {
      readonly type: 'validator-ready';
      readonly validator: string;
      /** For what: to join or replace its keys, or to return with a new life number. */
      readonly kind: 'admission' | 'return';
      readonly life: Uint8Array;
    }
  | { readonly type: 'ready-lapsed'; readonly validator: string }
  | {
      readonly type: 'attested';
      readonly validator: string;
      readonly by: string;
      readonly verdict: AttestVerdict;
      readonly reason: string;
    }
  | { readonly type: 'suspended' | 'cleared'; readonly validator: string; readonly cause: SuspensionCause }
  /** The ledger wants another set, or other rules, from now on. */
  | {
      readonly type: 'target-changed';
      /** New, with new keys, or with a new life number. */
      readonly joined: string | null;
      readonly left: readonly { readonly validator: string; readonly cause: RemovalCause }[];
      readonly rules: number;
    };
