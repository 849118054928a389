/**
 * Logs are events: one JSON line each, `{level, time, node, event, ...facts}`, by pino. Core returns facts; the node logs
 * them here. Bytes become hex, big integers text, and whatever is named like a secret is left out, however deep it lies.
 */
import { type DestinationStream, destination, type Level, type Logger, pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

export type Log = {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose every line also carries `fields`. */
  child(fields: LogFields): Log;
  /** Writes out what is buffered; call it before the process ends. */
  flush(): void;
};

export type LogOptions = {
  readonly level?: Level | 'silent';
  /** On every line: which node, which thread. */
  readonly base?: LogFields;
  /** A file descriptor, a path, or a stream; standard error by default, since standard output belongs to commands. */
  readonly to?: number | string | DestinationStream;
};

export function createLog(options: LogOptions = {}): Log {
  const { level = 'info', base = {}, to = 2 } = options;
  const stream = typeof to === 'object' ? to : destination({ dest: to, sync: false });
  const writer: Logger = pino(
    {
      level,
      base: toPlain(base),
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return wrap(writer, stream);
}

/** For tests and commands that log nothing. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
  flush: () => undefined,
};

function wrap(writer: Logger, stream: DestinationStream): Log {
  const write = (level: Level) => (event: string, fields?: LogFields) => {
    if (writer.isLevelEnabled(level)) writer[level]({ event, ...toPlain(fields ?? {}) });
  };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap(writer.child(toPlain(fields)), stream),
    flush: () => {
      if ('flushSync' in stream && typeof stream.flushSync === 'function') stream.flushSync();
    },
  };
}

const SECRET = /secret|private|password|passphrase|token|authorization|cookie|seed|pem$/i;
const DEPTH_MAX = 4;
const ITEMS_MAX = 32;
const BYTES_MAX = 64;
const TEXT_MAX = 2_000;

/** Fields as plain JSON of bounded size, without secrets. */
export function toPlain(fields: LogFields): Record<string, unknown> {
  return plainObject(fields, 0);
}

function plainObject(fields: object, depth: number): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields).slice(0, ITEMS_MAX)) {
    const isCount = typeof value === 'number' || typeof value === 'boolean';
    plain[name] = SECRET.test(name) && !isCount ? '[left out]' : plainValue(value, depth);
  }
  return plain;
}

function plainValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'bigint':
      return value.toString();
    case 'string':
      return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}...` : value;
    case 'function':
    case 'symbol':
      return undefined;
    case 'object':
      return value === null ? null : plainThing(value, depth);
    default:
      return value;
  }
}

function plainThing(value: object, depth: number): unknown {
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, BYTES_MAX)).toString('hex');
    return value.byteLength > BYTES_MAX ? `${hex}... (${value.byteLength} bytes)` : hex;
  }
  if (value instanceof Error) {
    const { name, message, stack } = value;
    return { name, message, code: (value as NodeJS.ErrnoException).code, stack };
  }
  if (value instanceof Date) return value.toISOString();
  if (depth >= DEPTH_MAX) return '[deeper]';
  if (value instanceof Map) return plainObject(Object.fromEntries(value), depth + 1);
  if (value instanceof Set) return plainValue([...value], depth);
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((item) => plainValue(item, depth + 1));
  return plainObject(value, depth + 1);
}
