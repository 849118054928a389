/**
 * What an audit found, as data: repair decides by class and place, people read `what`.
 *
 * A *finding* is damage: something stored differs from what it must be. A *note* is what an operator should know and is no
 * damage, such as the unfinished last frame of a journal after a crash, or what could not be proven and why.
 */

/** `database` is what belongs to a file as a whole: its pages, its schema, its log. */
export type FindingClass =
  | 'journal'
  | 'block'
  | 'batch'
  | 'certificate'
  | 'checkpoint'
  | 'history'
  | 'state'
  | 'view'
  | 'mark'
  | 'keys'
  | 'genesis'
  | 'config'
  | 'database';

/** Where it is, as far as that is known. */
export type Place = {
  readonly height?: number;
  /** Sequence of a journal record. */
  readonly sequence?: number;
  readonly file?: string;
  /** In the file, in bytes. */
  readonly offset?: number;
  readonly table?: string;
  /** Key of the row: for the state the path, for a batch its place in the block, for a tile its level and index. */
  readonly key?: string;
};

export type Finding = {
  readonly class: FindingClass;
  /** `audit.*`, or the code of the part of the node that refuses it. */
  readonly code: string;
  readonly what: string;
  readonly where: Place;
};

export type Findings = {
  add(kind: FindingClass, code: string, what: string, where?: Place): void;
  note(kind: FindingClass, code: string, what: string, where?: Place): void;
  /** Runs a check; whatever it throws is a finding of this class, so that damaged bytes never end an audit. */
  guard<T>(kind: FindingClass, where: Place, check: () => T): T | null;
  guardAsync<T>(kind: FindingClass, where: Place, check: () => Promise<T>): Promise<T | null>;
  /** The first ones, up to the limit. */
  readonly listed: readonly Finding[];
  readonly notes: readonly Finding[];
  /** All of them, by class. */
  countByClass(): Partial<Record<FindingClass, number>>;
  count(): number;
};

const whatCharsMax = 500;
const notesMax = 100;

/** @param isFatal whether something thrown ends the audit: it was stopped */
export function createFindings(listedMax: number, isFatal: (cause: unknown) => boolean): Findings {
  const listed: Finding[] = [];
  const notes: Finding[] = [];
  const counts = new Map<FindingClass, number>();
  let count = 0;

  function add(kind: FindingClass, code: string, what: string, where: Place = {}): void {
    count++;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (listed.length < listedMax) listed.push({ class: kind, code, what: what.slice(0, whatCharsMax), where });
  }

  function addThrown(kind: FindingClass, where: Place, cause: unknown): null {
    if (isFatal(cause)) throw cause;
    const { message } = (cause ?? {}) as { message?: unknown };
    add(kind, codeOfThrown(cause), typeof message === 'string' ? message : String(cause), where);
    return null;
  }

  return {
    add,
    note(kind, code, what, where = {}) {
      if (notes.length < notesMax) notes.push({ class: kind, code, what: what.slice(0, whatCharsMax), where });
    },
    guard(kind, where, check) {
      try {
        return check();
      } catch (cause) {
        return addThrown(kind, where, cause);
      }
    },
    async guardAsync(kind, where, check) {
      try {
        return await check();
      } catch (cause) {
        return addThrown(kind, where, cause);
      }
    },
    listed,
    notes,
    countByClass: () => Object.fromEntries(counts),
    count: () => count,
  };
}

/** Our own errors keep their code; what SQLite, the system or an assertion throws could not be read. */
function codeOfThrown(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^[a-z]+\.[a-z0-9-]+$/.test(code) ? code : 'audit.unreadable';
}
