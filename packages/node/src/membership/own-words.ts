/**
 * What a node says of itself and of others on the ledger (protocol.md sections 5 and 6), and when: a pure decision over how
 * things stand. Everything is said again, with growing pauses, until the ledger shows it; and nothing more often than a few
 * times a minute.
 */
import { equalBytes } from '@cairn-ledger/core';
import type { FenceReason } from '../driver/driver.ts';
import type { PeerConduct } from './peer-watch.ts';
import type { Roster } from './roster.ts';

export type OwnWord =
  | { readonly type: 'ready'; readonly life: Uint8Array }
  | { readonly type: 'present' }
  | { readonly type: 'fenced'; readonly reason: FenceReason }
  | { readonly type: 'suspect' | 'clear'; readonly validator: string };

export type Scene = {
  readonly nowMs: number;
  readonly selfId: string;
  /** Executed height. */
  readonly height: number;
  readonly roster: Roster;
  /** In the set of the epoch, with its own keys. */
  readonly isMember: boolean;
  /** Every reason why it signs nothing, the gravest first. */
  readonly fences: readonly FenceReason[];
  /** Life number of the safety record; null for the first one of a validator of the genesis. */
  readonly life: Uint8Array | null;
  /** What is final is executed, or nearly, and certified by a quorum with the very same results. */
  readonly isCaughtUp: boolean;
  /** Other validators of the epoch. */
  readonly others: readonly { readonly id: string; readonly conduct: PeerConduct }[];
};

/** Heights after which a sign of life is given again when somebody waits to join; half of what it counts for. */
export const presentHeights = 500;
/** Heights after which a word about another one is said again, if it still holds. */
const wordHeights = 500;
const firstPauseMs = 3_000;
const longestPauseMs = 30_000;
/** Words about others in a minute. */
const aboutOthersPerMinute = 6;

export type OwnWords = {
  /** What to say now, in this order. Counts as said. */
  due(scene: Scene): OwnWord[];
};

type Said = { readonly atMs: number; readonly pauseMs: number };

export function createOwnWords(): OwnWords {
  const said = new Map<string, Said>();
  let aboutOthersAtMs: number[] = [];

  /** Whether a word is to be said at all, and its pause is over. */
  function isDue(name: string, isWanted: boolean, nowMs: number): boolean {
    if (!isWanted) {
      // What holds no longer is said at once when it holds again, but never faster than its first pause.
      const before = said.get(name);
      if (before !== undefined && nowMs - before.atMs >= firstPauseMs) said.delete(name);
      return false;
    }
    const before = said.get(name);
    if (before !== undefined && nowMs - before.atMs < before.pauseMs) return false;
    const pauseMs = before === undefined ? firstPauseMs : Math.min(longestPauseMs, before.pauseMs * 2);
    said.set(name, { atMs: nowMs, pauseMs });
    return true;
  }

  function mayAccuse(nowMs: number): boolean {
    aboutOthersAtMs = aboutOthersAtMs.filter((atMs) => nowMs - atMs < 60_000);
    if (aboutOthersAtMs.length >= aboutOthersPerMinute) return false;
    aboutOthersAtMs.push(nowMs);
    return true;
  }

  function aboutOthers(scene: Scene): OwnWord[] {
    const { roster, nowMs, height } = scene;
    if (!scene.isMember || scene.fences.length > 0 || !scene.isCaughtUp) return [];
    const words: OwnWord[] = [];
    for (const { id, conduct } of scene.others) {
      const causes = roster.suspended.filter(({ validator }) => validator === id).map(({ cause }) => cause);
      const last = roster.own.words.find(({ validator }) => validator === id);
      const stands = last !== undefined && height - last.height < wordHeights ? last.verdict : null;
      const isAccused = causes.includes('attested') || causes.includes('damage');
      const isSuspect = conduct === 'silent' && causes.length === 0 && stands !== 'suspect';
      const isCleared = conduct === 'working' && (isAccused || stands === 'suspect') && stands !== 'clear';
      for (const [type, isWanted] of [
        ['suspect', isSuspect],
        ['clear', isCleared],
      ] as const) {
        if (isDue(`${type} ${id}`, isWanted, nowMs) && mayAccuse(nowMs)) words.push({ type, validator: id });
      }
    }
    return words;
  }

  return {
    due(scene) {
      const { roster, nowMs, life, fences, height, selfId } = scene;
      const { own } = roster;
      const words: OwnWord[] = [];
      const isSaidReady = life !== null && own.readyLife !== null && equalBytes(own.readyLife, life);
      // What else it is fenced for must be over before it comes back.
      const isWhole = fences.every((reason) => reason === 'rolled-back');
      const wantsIn = isWhole && (own.isAdmitted || (scene.isMember && fences.length > 0));
      const hasNotice = roster.suspended.some(({ validator, cause }) => validator === selfId && cause === 'own-notice');
      // In an epoch that the members have ended there is nobody to be told, and in the next one it signs again.
      const isFenced = scene.isMember && fences.some((reason) => reason !== 'restart');
      if (isDue('fenced', isFenced && !hasNotice && !isSaidReady, nowMs))
        words.push({ type: 'fenced', reason: fences.find((each) => each !== 'restart')! });
      if (isDue('ready', wantsIn && life !== null && scene.isCaughtUp && !isSaidReady, nowMs))
        words.push({ type: 'ready', life: life! });
      const isLongSilent = roster.isSomebodyWaiting && height - (own.presentHeight ?? 0) > presentHeights;
      const isBack = scene.isMember && fences.length === 0 && scene.isCaughtUp;
      if (isDue('present', isBack && (hasNotice || isLongSilent), nowMs)) words.push({ type: 'present' });
      return [...words, ...aboutOthers(scene)];
    },
  };
}
