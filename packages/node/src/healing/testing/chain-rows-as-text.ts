/** Everything that a chain.db holds, as text: for tests that compare two of them. */
import { DatabaseSync } from 'node:sqlite';

/** What a chain that was had from peers may lack, or have otherwise: nobody has to give it. */
export const notGivenByPeers = ['blocks.finalization', 'blocks.view', 'checkpoints.signatures'];

/**
 * Every row of every table, in the order of their texts. From when on the news of blocks are held is left out.
 *
 * @param without columns to leave out, as `table.column`
 */
export function rowsAsText(path: string, without: readonly string[] = []): Record<string, string[]> {
  const sqlite = new DatabaseSync(path, { readOnly: true });
  const tables = sqlite.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  const rows = tables.map(({ name }) => {
    const all = sqlite.prepare(`SELECT * FROM ${name}`).all() as Record<string, unknown>[];
    const texts = all
      .filter((row) => name !== 'meta' || row.key !== 'news')
      .map((row) =>
        Object.entries(row)
          .filter(([column]) => !without.includes(`${name}.${column}`))
          .map(([, value]) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)))
          .join('|'),
      );
    return [String(name), texts.sort()] as const;
  });
  sqlite.close();
  return Object.fromEntries(rows);
}
