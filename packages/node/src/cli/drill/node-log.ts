/** Follows the logs of nodes while they write them: one event a line (logging.ts). */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export type LogLine = {
  /** Whose log it is. */
  readonly owner: string;
  readonly timeMs: number;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

export type LogWatch = {
  /** From its end on; a file that is not there yet is read from its beginning. */
  add(owner: string, path: string): void;
  close(): void;
};

const everyMs = 25;
const chunkBytes = 64 << 10;
/** A line that is longer is no event of ours. */
const lineMax = 64 << 10;

type Followed = { readonly owner: string; readonly path: string; fd: number | null; offset: number; rest: string };

export function watchLogs(onLine: (line: LogLine) => void): LogWatch {
  const files: Followed[] = [];
  const chunk = Buffer.alloc(chunkBytes);
  const timer = setInterval(() => {
    for (const file of files) read(file);
  }, everyMs);

  function read(file: Followed): void {
    file.fd ??= openOrNull(file.path);
    if (file.fd === null) return;
    for (;;) {
      const count = readSync(file.fd, chunk, 0, chunkBytes, file.offset);
      if (count === 0) return;
      file.offset += count;
      const lines = (file.rest + chunk.toString('utf8', 0, count)).split('\n');
      file.rest = lines.pop()!.slice(-lineMax);
      for (const text of lines) {
        const line = lineOf(file.owner, text);
        if (line !== null) onLine(line);
      }
    }
  }

  return {
    add(owner, path) {
      const fd = openOrNull(path);
      files.push({ owner, path, fd, offset: fd === null ? 0 : fstatSync(fd).size, rest: '' });
    },
    close() {
      clearInterval(timer);
      for (const { fd } of files) if (fd !== null) closeSync(fd);
      files.length = 0;
    },
  };
}

function openOrNull(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch {
    return null;
  }
}

/** Null for what is no event: a node's last words, say. */
function lineOf(owner: string, text: string): LogLine | null {
  if (!text.startsWith('{')) return null;
  try {
    const fields = JSON.parse(text) as Record<string, unknown>;
    const timeMs = Date.parse(String(fields.time));
    return typeof fields.event === 'string' && Number.isFinite(timeMs)
      ? { owner, timeMs, event: fields.event, fields }
      : null;
  } catch {
    return null;
  }
}
