#!/usr/bin/env node
// The entry of the `cairn` command. Plain JavaScript of an old kind, so that an old Node can say which one is needed.
const needed = [24, 19];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  process.stderr.write(
    `cairn needs Node ${needed.join('.')} or later; this is ${process.version}.\n` +
      'In the folder of the repository run it as `npx cairn`: that takes the Node which `npm ci` has installed.\n',
  );
  process.exit(2);
}

// node:sqlite warns that it is experimental. It is tried and pinned here, and standard error belongs to the command.
const emitWarning = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  const type = typeof rest[0] === 'object' && rest[0] !== null ? rest[0].type : rest[0];
  if (type !== 'ExperimentalWarning') emitWarning.call(process, warning, ...rest);
};

// Sources are TypeScript: what they compile to is kept, for this process, its threads and the nodes it starts. That halves
// the time to start and saves memory. A folder that cannot be written is no obstacle.
if (process.env.NODE_COMPILE_CACHE === undefined && process.env.NODE_DISABLE_COMPILE_CACHE === undefined) {
  const { enableCompileCache } = await import('node:module');
  const { homedir } = await import('node:os');
  const { join } = await import('node:path');
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cairn', 'compile');
  enableCompileCache(folder);
  process.env.NODE_COMPILE_CACHE = folder;
}

const { main } = await import('../src/cli/main.ts');
await main(process.argv.slice(2));
