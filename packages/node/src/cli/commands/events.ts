import { followEvents, type NewsItem, type StreamNote } from '@cairn-ledger/sdk';
import { Command, InvalidArgumentError } from 'commander';
import { type EventKind, eventKinds, localKinds, newsKinds } from '../../http/news.ts';
import { orFail } from '../exit-code.ts';
import { newsLine } from '../membership/news-line.ts';
import { type NetworkOptions, nodesOf, tokenOf, withNetworkOptions } from '../network.ts';
import { note, say, sayJson } from '../output.ts';
import { parsePositive } from '../parse.ts';

type EventsOptions = NetworkOptions & {
  readonly kind?: EventKind[];
  readonly after?: string;
  readonly follow?: boolean;
  readonly timeout: number;
  readonly json?: boolean;
};

export function eventsCommand(): Command {
  return withNetworkOptions(
    new Command('events').description('what happens in the network: votes, suspensions, epochs, attacks, blocks'),
  )
    .option('--follow', 'until Ctrl-C, over broken connections (default: what there is, then end)')
    .option('--kind <kind...>', `kinds to be told (default: all but blocks, transactions, status)`, collectKinds)
    .option('--after <id>', 'go on after this event; 0 begins with the first block')
    .option('--timeout <seconds>', 'without --follow: end when nothing came for so long', parsePositive, 3)
    .option('--json', 'print one JSON object per line: {"id","event","data"}')
    .addHelpText(
      'after',
      `
Examples:
  $ cairn events --follow
  $ cairn events --after 0                          all that ever happened, as far as the node has it
  $ cairn events --follow --kind suspended cleared attack --json

Kinds: ${eventKinds.join(' ')}.
The ids are the same on every node, so --after goes on where another stream ended, here or at another node.`,
    )
    .action(async (options: EventsOptions) => {
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      const isFollowing = options.follow === true;
      const after = options.after ?? (isFollowing ? undefined : '0');
      const patience = isFollowing ? null : setTimeout(() => stop.abort(), options.timeout * 1000);
      const items = followEvents({
        nodes: nodesOf(options).map(({ http }) => http),
        ...tokenOf(options),
        types: options.kind ?? [...newsKinds, ...localKinds],
        ...(after !== undefined && { after }),
        signal: stop.signal,
        onNote: (what) => tellNote(what, options),
      });
      for await (const item of items) {
        patience?.refresh();
        print(orFail(item), options);
      }
      if (patience !== null) clearTimeout(patience);
    });
}

function print(item: NewsItem, options: EventsOptions): void {
  if (options.json === true) sayJson(item);
  else say(newsLine(item));
}

function tellNote(what: StreamNote, options: EventsOptions): void {
  if (options.json === true || what.type === 'connected') return;
  note(`the stream broke (${what.error.message}); trying again`);
}

function collectKinds(text: string, before: EventKind[] | undefined): EventKind[] {
  const kinds = text.split(',').map((name) => {
    const kind = eventKinds.find((known) => known === name);
    if (kind === undefined) throw new InvalidArgumentError(`It must be of ${eventKinds.join(', ')}.`);
    return kind;
  });
  return [...(before ?? []), ...kinds];
}
