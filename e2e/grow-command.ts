/** `npm run grow`: a network that grows and shrinks under load and faults, in any size (grow.ts). */
import process from 'node:process';
import { Arguments } from '../packages/sim/src/arguments.ts';
import { growOnce } from './grow.ts';

const help = `npm run grow -- [options]

  --from N      nodes that found the network (default 7, at least 4)
  --to N        up to so many, one joins after the other (default 10)
  --down-to N   then some leave, at most f at once, until so many remain (default 4)
  --json        one JSON object on standard output, nothing else there

Exit code 1 when the chain stands still for long, something acknowledged is lost, roots differ or somebody is accused.`;

const args = new Arguments(help, {
  options: {
    from: { type: 'string', default: '7' },
    to: { type: 'string', default: '10' },
    'down-to': { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});

const { values } = args.given;
const from = args.readCount(values.from, 4, 16);
const to = args.readCount(values.to, from + 1, 24);
const downTo = args.readCount(values['down-to'], 4, to - 1);
try {
  const summary = await growOnce({ from, to, downTo, onProgress: (line) => console.error(line) });
  console.log(values.json ? JSON.stringify(summary) : summary);
} catch (error) {
  console.error(error);
  process.exit(1);
}
