/**
 * A world told in lines. The story: which rule fired at which node, what it made known and to whom, faults, crashes; nodes
 * that do the same share a line. In full: every frame as it is sent and as it arrives, and everything else as it comes.
 *
 *     const trace = createTrace({ mode: 'story', validatorsCount: 4, write: console.log });
 *     runWorld(options, trace.observe);
 *     trace.finish();
 */
import type { Observer, WorldEvent } from './observer.ts';
import { messageText } from './trace-frames.ts';
import { TraceLines } from './trace-lines.ts';
import { TraceNames } from './trace-names.ts';
import { messageOf, TraceStory } from './trace-story.ts';

export type TraceOptions = {
  readonly mode: 'story' | 'full';
  readonly write: (line: string) => void;
  readonly validatorsCount: number;
  /** Validators that have a second place, in the order of those places. */
  readonly twins?: readonly number[];
};

export type Trace = {
  readonly observe: Observer;
  /** A line by whoever tells the story. */
  note(text: string, nowMs: number): void;
  /** Tells what is left to tell. */
  finish(): void;
};

/** Nodes that do the same within this time share a line, in milliseconds. */
const togetherMs = 4;

export function createTrace({ mode, write, validatorsCount, twins }: TraceOptions): Trace {
  const names = new TraceNames(validatorsCount, twins);
  const lines = new TraceLines(names, write, togetherMs, mode === 'story');
  const story = new TraceStory(names, lines);
  return {
    observe: (event, nowMs) => {
      if (mode === 'full') {
        const text = frameText(event, names);
        if (text !== null) lines.aside(text, nowMs);
        story.observe(event, nowMs);
        lines.finish();
      } else {
        lines.passTo(nowMs);
        story.observe(event, nowMs);
      }
    },
    note: (text, nowMs) => lines.aside(text, nowMs),
    finish: () => lines.finish(),
  };
}

/** What only the full trace tells. */
function frameText(event: WorldEvent, names: TraceNames): string | null {
  switch (event.type) {
    case 'sent': {
      const lost = event.isLost ? ', and it is lost' : '';
      return `${names.place(event.from)} -> ${names.place(event.to)}  ${contentOf(event.frame, names)}${lost}`;
    }
    case 'received':
      return `${names.place(event.to)} <- ${names.place(event.from)}  ${contentOf(event.frame, names)}`;
    case 'connected':
    case 'disconnected':
      return `${names.places([event.a, event.b])} are ${event.type}`;
    default:
      return null;
  }
}

function contentOf(frame: Uint8Array, names: TraceNames): string {
  const message = messageOf(frame);
  return message === null ? `${frame.length} bytes that are no message` : messageText(message, names);
}
