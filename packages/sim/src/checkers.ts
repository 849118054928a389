/**
 * What must hold in every world, judged apart from the code under test: from what nodes sign and what they execute.
 */
import { type Block, type Cbor, decodeCbor, type Outcome, toHex } from '@cairn-ledger/core';

/** Collects what went wrong; the same thing is told once. */
export class Violations {
  readonly #found = new Set<string>();

  add(text: string): void {
    this.#found.add(text);
  }

  list(): string[] {
    return [...this.#found];
  }
}

/**
 * Agreement: whoever executes a height executes the same block with the same result as everybody else, ever. Where more
 * than f nodes are Byzantine the chain may fork: then different blocks are no violation, and told as forks instead.
 */
export class AgreementChecker {
  readonly #byHeight = new Map<number, { readonly node: number; readonly block: string; readonly result: string }>();
  readonly #heights = new Map<number, number>();
  readonly #violations: Violations;
  readonly #mayFork: boolean;
  readonly #forks = new Set<string>();

  constructor(violations: Violations, mayFork = false) {
    this.#violations = violations;
    this.#mayFork = mayFork;
  }

  /** Honest nodes that executed different blocks at a height. */
  get forks(): readonly string[] {
    return [...this.#forks];
  }

  /** A node's disk was put back: it executes what came after once more, and must come to the same. */
  onRolledBack(node: number, height: number): void {
    this.#heights.set(node, height);
  }

  onExecuted(node: number, block: Block, outcome: Outcome): void {
    const { height } = block.header;
    const before = this.#heights.get(node) ?? 0;
    if (height !== before + 1) this.#violations.add(`node ${node} executed height ${height} after ${before}`);
    this.#heights.set(node, height);
    const { historyRoot, stateRoot, historySize } = outcome.statement;
    const row = {
      node,
      block: toHex(block.digest),
      result: `${historySize} ${toHex(historyRoot)} ${toHex(stateRoot)}`,
    };
    const known = this.#byHeight.get(height);
    if (known === undefined) this.#byHeight.set(height, row);
    else if (known.block !== row.block)
      this.#onDifference(`nodes ${known.node} and ${node} differ at height ${height}`);
    else if (known.result !== row.result)
      this.#violations.add(`nodes ${known.node} and ${node} have different results at height ${height}`);
  }

  #onDifference(text: string): void {
    if (this.#mayFork) this.#forks.add(text);
    else this.#violations.add(text);
  }
}

/**
 * Honest signing: over all its lives, a node signs nothing that proves it faulty (protocol.md section 6). Reads the very
 * bytes that are signed, so it depends on no rule of the replica.
 */
export class SigningChecker {
  readonly #node: number;
  readonly #violations: Violations;
  /** What was signed once and for all, by kind and place. */
  readonly #signed = new Map<string, string>();

  constructor(node: number, violations: Violations) {
    this.#node = node;
    this.#violations = violations;
  }

  /** @param isOtherLife whether the set names another safety record: batches are only signed again with it, as they were before */
  onSignedVoteOrBatch(message: Uint8Array, isOtherLife: () => boolean = () => false): void {
    const [, kind, , body] = arrayOf(message) as [Cbor, string, Cbor, Uint8Array];
    const fields = arrayOf(body);
    const text = toHex(body);
    if (kind === 'batch') return this.#once(`batch ${fields[0]}/${fields[2]}`, text);
    const place = `${fields[0]}/${fields[1]}`;
    if (isOtherLife()) this.#report(`${kind} ${place} with a safety record that the set does not name`);
    this.#once(`${kind} ${place}`, text);
    if (kind === 'nullify') this.#never(`finalize ${place}`, `nullify ${place}`);
    if (kind === 'finalize') {
      this.#never(`nullify ${place}`, `finalize ${place}`);
      const notarized = this.#signed.get(`notarize ${place}`);
      if (notarized !== undefined && notarized !== text) this.#report(`notarize and finalize ${place}`);
    }
  }

  /** @param message a statement stands in the protected header, but for the history root, which is the payload */
  onSignedCheckpoint(message: Uint8Array): void {
    const [, header, , historyRoot] = arrayOf(message) as [Cbor, Uint8Array, Cbor, Uint8Array];
    const fields = statementIn(header);
    this.#once(`checkpoint ${fields[2]}/${fields[3]}`, `${fields.map(textOfField).join(' ')} ${toHex(historyRoot)}`);
  }

  #once(what: string, text: string): void {
    const known = this.#signed.get(what);
    if (known === undefined) this.#signed.set(what, text);
    else if (known !== text) this.#report(`two different: ${what}`);
  }

  #never(other: string, what: string): void {
    if (this.#signed.has(other)) this.#report(`${other} and ${what}`);
  }

  #report(what: string): void {
    this.#violations.add(`node ${this.#node} signed ${what}`);
  }
}

/** Label of the statement in the header of a checkpoint (wire-format.md section 4). */
const statementLabel = -65537;

function statementIn(header: Uint8Array): Cbor[] {
  const decoded = decodeCbor(header);
  const statement = decoded.ok && decoded.value instanceof Map ? decoded.value.get(statementLabel) : null;
  if (!Array.isArray(statement)) throw new Error('the header of a signed checkpoint has its statement');
  return statement;
}

function textOfField(field: Cbor): string {
  return field instanceof Uint8Array ? toHex(field) : String(field);
}

function arrayOf(bytes: Uint8Array): Cbor[] {
  const decoded = decodeCbor(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value)) throw new Error('signed bytes are a CBOR array');
  return decoded.value;
}
