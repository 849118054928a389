/** The inner side of a door (namespaces.ts): `namespace-door.ts <socket file> <port>` leads to a port of its own loopback. */
import { connect, createServer } from 'node:net';
import process from 'node:process';

const [socketPath, port] = process.argv.slice(2) as [string, string];
createServer((outside) => {
  const inside = connect(Number(port), '127.0.0.1');
  outside.pipe(inside).pipe(outside);
  outside.on('error', () => inside.destroy());
  inside.on('error', () => outside.destroy());
  outside.on('close', () => inside.destroy());
  inside.on('close', () => outside.destroy());
}).listen(socketPath);
// It ends with the test, however that came about.
process.stdin.resume().on('close', () => process.exit(0));
