/**
 * How much a peer may ask for (protocol.md section 6, level 0): a request is small and its answer can be large, so each
 * peer has an allowance for each Delta. What goes beyond is dropped; an honest asker asks again, or asks somebody else.
 *
 * The allowance is far above what catching up needs: a peer asks for a page of the chain when the one before has come,
 * and for at most as many blocks and batches as a fetcher has under way.
 */
import type { ValidatorIndex } from '../../model/brands.ts';
import { certificatesPageMax, type Message } from '../../model/message.ts';

/** What a peer may cost this node in one Delta, in units of about one small answer. */
export const requestBudget = 1024;

/** What answering costs, in the same units. Zero: not a request. */
export function requestCost(message: Message): number {
  switch (message.type) {
    case 'request-certificates':
      return Math.max(1, Math.min(message.to - message.from + 1, certificatesPageMax));
    case 'request-chain':
    case 'request-tiles':
    case 'request-epochs':
      return 16;
    case 'request-snapshot':
    case 'request-state':
      return 128;
    case 'request-block':
    case 'request-batch':
    case 'request-checkpoint':
    case 'request-boundary':
    case 'request-outcome':
      return 1;
    default:
      return 0;
  }
}

export class RequestBudget {
  readonly #windowMs: number;
  readonly #spent = new Map<ValidatorIndex, { sinceMs: number; units: number }>();

  constructor(deltaMs: number) {
    this.#windowMs = deltaMs;
  }

  /** Whether a peer may have this answered now; counts it if so. */
  admits(peer: ValidatorIndex, message: Message, nowMs: number): boolean {
    const cost = requestCost(message);
    if (cost === 0) return true;
    let spent = this.#spent.get(peer);
    if (spent === undefined) {
      spent = { sinceMs: Number.NEGATIVE_INFINITY, units: 0 };
      this.#spent.set(peer, spent);
    }
    if (nowMs >= spent.sinceMs + this.#windowMs) {
      spent.sinceMs = nowMs;
      spent.units = 0;
    }
    if (spent.units + cost > requestBudget) return false;
    spent.units += cost;
    return true;
  }
}
