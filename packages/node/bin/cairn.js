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

const { main } = await import('../src/cli/main.ts');
await main(process.argv.slice(2));
