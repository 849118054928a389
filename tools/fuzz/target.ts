/** What is fuzzed: one decoder of bytes or text from outside, with good inputs to begin from. */
import type { CairnError } from '../../packages/core/src/index.ts';

/** What a decoder made of an input: a value, or a refusal with its code. */
export type Verdict = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly code: string };

export type Target = {
  readonly name: string;
  /** The exported functions it runs, as `path#function`: what the scan of the sources looks for. */
  readonly covers: readonly string[];
  /** Limit of an input: the decoder's own, or that of the door before it. */
  readonly sizeMax: number;
  /** The decoder refuses what is longer itself; else nothing longer reaches it. */
  readonly hasOwnLimit?: boolean;
  readonly corpus: () => readonly Uint8Array[];
  /** Whatever it throws is a crash, but for what `isDeclared` names. */
  readonly run: (bytes: Uint8Array) => Verdict | Promise<Verdict>;
  /** An error that the decoder documents to throw: of our own storage, where damage stops the node. */
  readonly isDeclared?: (error: unknown) => boolean;
  /** The bytes of a value; `canonical`: a value has one encoding, so these are the very bytes it was decoded from. */
  readonly encode?: (value: never) => Uint8Array;
  readonly isCanonical?: boolean;
  /** Share of the executions, 1 unless told; less for what touches a disk or computes with curves. */
  readonly weight?: number;
};

const codePattern = /^[a-z]+\.[a-z0-9-]+$/;

/** A result of ours as a verdict; a code out of the pattern of the catalogue is a crash. */
export function verdictOf(result: { ok: true; value: unknown } | { ok: false; error: CairnError }): Verdict {
  if (result.ok) return result;
  const { code, message } = result.error;
  if (typeof code !== 'string' || !codePattern.test(code)) throw new Error(`a refusal has the code ${String(code)}`);
  if (typeof message !== 'string' || message.length > messageMax)
    throw new Error(`the message of ${code} has ${message?.length} characters`);
  return { ok: false, code };
}

/** A decoder that answers null for what it refuses. */
export function verdictOfNullable(value: unknown): Verdict {
  return value === null ? { ok: false, code: 'null' } : { ok: true, value };
}

/** A refusal may quote its input, but not without limit: it goes to logs and to peers. */
const messageMax = 4096;

const utf8 = new TextDecoder();
/** Bytes as the text that a file or a request would give. */
export function textOf(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

const encoder = new TextEncoder();
export function bytesOfTexts(...texts: readonly string[]): Uint8Array[] {
  return texts.map((text) => encoder.encode(text));
}
