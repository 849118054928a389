/**
 * TypeScript as text, for checks that need no types: the code without its comments, texts and regular expressions, and
 * what it imports.
 */

export type Import = { readonly specifier: string; readonly offset: number };

/** A slash after one of these begins a regular expression; after anything else it divides. */
const beforeRegExp = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|void|throw|yield|await))$/;

/** The source with everything but code replaced by blanks, offset by offset. Quotes stay, their content does not. */
export function maskedCode(source: string): string {
  const out: string[] = [];
  /** Depths of braces at which a template text goes on. */
  const templates: number[] = [];
  let depth = 0;
  /** The last bit of code, to tell regular expressions from divisions. */
  let tail = '';
  let at = 0;

  const blank = (end: number): void => {
    for (; at < end; at++) out.push(source[at] === '\n' ? '\n' : ' ');
  };
  const keep = (): void => {
    const char = source[at]!;
    out.push(char);
    if (char.trim() !== '') tail = (tail + char).slice(-12);
    else if (/\w$/.test(tail)) tail += ' ';
    at++;
  };
  const template = (): void => {
    let end = at;
    while (end < source.length && source[end] !== '`' && !source.startsWith('${', end))
      end += source[end] === '\\' ? 2 : 1;
    blank(end);
    if (source.startsWith('${', at)) {
      templates.push(depth);
      keep();
      keep();
      depth++;
    } else keep();
  };

  while (at < source.length) {
    const char = source[at]!;
    if (source.startsWith('//', at)) blank(endOr(source.indexOf('\n', at), source));
    else if (source.startsWith('/*', at)) blank(endOr(source.indexOf('*/', at) + 2, source));
    else if (char === "'" || char === '"') {
      keep();
      let end = at;
      while (end < source.length && source[end] !== char && source[end] !== '\n') end += source[end] === '\\' ? 2 : 1;
      blank(end);
      keep();
    } else if (char === '`') {
      keep();
      template();
    } else if (char === '/' && beforeRegExp.test(tail.trimEnd())) blank(endOfRegExp(source, at));
    else {
      if (char === '{') depth++;
      if (char === '}') depth--;
      keep();
      if (char === '}' && templates.at(-1) === depth) {
        templates.pop();
        template();
      }
    }
  }
  return out.join('');
}

/** Every module that a source imports, re-exports from, or loads when needed. */
export function importsOf(source: string, code: string): Import[] {
  const found: Import[] = [];
  for (const match of code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])( *)\1/g)) {
    const offset = match.index + match[0].length - match[2]!.length - 1;
    found.push({ specifier: source.slice(offset, offset + match[2]!.length), offset });
  }
  return found;
}

/** Number of the line an offset lies in, from 1. */
export function positionOf(source: string, offset: number): number {
  let line = 1;
  for (let i = source.indexOf('\n'); i >= 0 && i < offset; i = source.indexOf('\n', i + 1)) line++;
  return line;
}

function endOr(end: number, source: string): number {
  return end < 2 ? source.length : end;
}

function endOfRegExp(source: string, start: number): number {
  let isInClass = false;
  let end = start + 1;
  for (; end < source.length && source[end] !== '\n'; end++) {
    if (source[end] === '\\') end++;
    else if (source[end] === '[') isInClass = true;
    else if (source[end] === ']') isInClass = false;
    else if (source[end] === '/' && !isInClass) break;
  }
  end++;
  while (/[a-z]/.test(source[end] ?? '')) end++;
  return end;
}
