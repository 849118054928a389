/**
 * News of the ledger in chain.db: what execution tells of a block besides verdicts, for people who follow the network. It is
 * kept with the block, since only executing it again would give it once more. Most blocks have none, and then no row.
 *
 * They stand as JSON, ready to be told: nothing is decided by them, and no hash covers them.
 */
import { assert } from '@cairn-ledger/core';
import { type News, newsKinds } from '../http/news.ts';
import type { ChainStatements } from './chain-schema.ts';
import type { Database } from './database.ts';

/** In `meta`: of this height and those below it, whose blocks came from peers, no news are held. */
export const newsKey = 'news';

/** For use inside a write. */
export function insertNews(statements: ChainStatements, height: number, news: readonly News[]): void {
  if (news.length > 0) statements.insertNews.run(height, JSON.stringify(news));
}

/**
 * In the order of execution; none where the block has none, or is not held. Null where they cannot be read any more: nothing
 * depends on them, so a reader goes on without.
 */
export function newsOf(database: Database, statements: ChainStatements, height: number): News[] | null {
  const row = database.read('reading news', () => statements.news.get(height)) as { items: unknown } | undefined;
  return row === undefined ? [] : textToNews(String(row.items));
}

const kinds: ReadonlySet<unknown> = new Set(newsKinds);

/** Null for what are no news. */
export function textToNews(text: string): News[] | null {
  try {
    const items: unknown = JSON.parse(text);
    assert(Array.isArray(items), 'news are a list');
    for (const item of items as { kind?: unknown; data?: unknown }[]) {
      assert(kinds.has(item.kind) && typeof item.data === 'object' && item.data !== null, 'news have a kind and data');
    }
    return items as News[];
  } catch {
    return null;
  }
}
