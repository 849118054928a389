/**
 * Loaded before a node (`node --import`), it makes a hostile build of it: the source of the driver is edited as it is loaded, and
 * from SIGUSR2 on every vote for a proposal is followed by one for another proposal of the same view. Until then it is the node
 * it was. Nothing on disk changes; production code knows no such switch.
 */
import { registerHooks } from 'node:module';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

const driverUrl = new URL('../../driver/driver.ts', import.meta.url).href;
const place = '    this.counters.votesSigned++;\n';
const addition = `    if (globalThis.cairnIsHostile === true && vote.type === 'notarize') {
      const other = { ...vote, proposal: { ...vote.proposal, digest: vote.proposal.digest.map((byte) => byte ^ 0xff) } };
      this.#send(this.#view, 'all', { type: 'vote', vote: this.#signing.vote(other, this.#view), entry: null });
    }
`;

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    return url === driverUrl ? { ...loaded, source: madeHostile(textOf(loaded.source)) } : loaded;
  },
});

if (isMainThread) {
  process.on('SIGUSR2', () => {
    Reflect.set(globalThis, 'cairnIsHostile', true);
  });
}

function madeHostile(source: string): string {
  const [before, after, ...more] = source.split(place);
  if (after === undefined || more.length > 0)
    throw new Error('the hostile build fits another driver: look at hostile-build.ts');
  return `${before}${place}${addition}${after}`;
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray | undefined): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source);
}
