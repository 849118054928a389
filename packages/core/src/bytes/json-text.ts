/**
 * A strict JSON reader (RFC 8259) that keeps the text of numbers: `JSON.parse` turns them into doubles, which lose digits
 * and trailing zeros. Also refused are a name twice in an object, lone surrogates, and too many levels.
 */
import { fail, ok, type Result } from '../result.ts';

/** A number as written: its text is in JSON's grammar. */
export type JsonNumber = { readonly numberText: string };
export type JsonValue = JsonNumber | string | boolean | null | JsonValue[] | Map<string, JsonValue>;

export type JsonError = { readonly message: string; readonly offset: number };

class JsonFault {
  readonly error: JsonError;
  constructor(message: string, offset: number) {
    this.error = { message: `${message} (at character ${offset})`, offset };
  }
}

/** Reads one value that takes up all of `text`, apart from white space. */
export function readJson(text: string, depthMax: number): Result<JsonValue, JsonError> {
  try {
    const reader = new JsonReader(text, depthMax);
    return ok(reader.readText());
  } catch (fault) {
    if (fault instanceof JsonFault) return fail(fault.error);
    throw fault;
  }
}

class JsonReader {
  private readonly text: string;
  private readonly depthMax: number;
  private offset = 0;

  constructor(text: string, depthMax: number) {
    this.text = text;
    this.depthMax = depthMax;
  }

  readText(): JsonValue {
    const value = this.readValue(0);
    this.skipSpace();
    if (this.offset < this.text.length) this.refuse('something after the value');
    return value;
  }

  private readValue(depth: number): JsonValue {
    this.skipSpace();
    const character = this.text[this.offset];
    switch (character) {
      case '{':
        return this.readObject(depth);
      case '[':
        return this.readArray(depth);
      case '"':
        return this.readString();
      case 't':
        return this.readWord('true', true);
      case 'f':
        return this.readWord('false', false);
      case 'n':
        return this.readWord('null', null);
      case undefined:
        return this.refuse('the text ends where a value should begin');
      default:
        return this.readNumber();
    }
  }

  private readObject(depth: number): Map<string, JsonValue> {
    this.enter(depth);
    const object = new Map<string, JsonValue>();
    if (this.takes('}')) return object;
    do {
      this.skipSpace();
      const start = this.offset;
      if (this.text[start] !== '"') this.refuse('expected a name in quotes');
      const name = this.readString();
      if (object.has(name)) throw new JsonFault(`the name ${JSON.stringify(name)} occurs twice`, start);
      if (!this.takes(':')) this.refuse('expected a colon');
      object.set(name, this.readValue(depth + 1));
    } while (this.takes(','));
    if (!this.takes('}')) this.refuse('expected a comma or the end of the object');
    return object;
  }

  private readArray(depth: number): JsonValue[] {
    this.enter(depth);
    const items: JsonValue[] = [];
    if (this.takes(']')) return items;
    do items.push(this.readValue(depth + 1));
    while (this.takes(','));
    if (!this.takes(']')) this.refuse('expected a comma or the end of the array');
    return items;
  }

  /** Finds the closing quote here; escapes and control characters are judged by JSON.parse. */
  private readString(): string {
    const start = this.offset;
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    if (end >= this.text.length) this.refuse('a text without its closing quote');
    this.offset = end + 1;
    let value: string;
    try {
      value = JSON.parse(this.text.slice(start, end + 1));
    } catch {
      throw new JsonFault('a text with a bad escape or a control character', start);
    }
    if (!value.isWellFormed()) throw new JsonFault('a text with half a character', start);
    return value;
  }

  private readNumber(): JsonNumber {
    const pattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
    pattern.lastIndex = this.offset;
    const match = pattern.exec(this.text);
    if (match === null) this.refuse('not a value of JSON');
    this.offset += match[0].length;
    return { numberText: match[0] };
  }

  private readWord<T extends boolean | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.offset)) this.refuse('not a value of JSON');
    this.offset += word.length;
    return value;
  }

  private enter(depth: number): void {
    if (depth >= this.depthMax) this.refuse(`more than ${this.depthMax} levels`);
    this.offset++;
  }

  private takes(character: string): boolean {
    this.skipSpace();
    if (this.text[this.offset] !== character) return false;
    this.offset++;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const unit = this.text.charCodeAt(this.offset);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.offset++;
    }
  }

  private refuse(message: string): never {
    throw new JsonFault(message, this.offset);
  }
}
