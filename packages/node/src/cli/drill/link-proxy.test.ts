import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLinkProxy } from './link-proxy.ts';

test('what is cut passes nothing and breaks nothing; mended, it passes all that was held back', async (t) => {
  const far = createServer((socket) => socket.pipe(socket));
  far.listen(0, '127.0.0.1');
  await once(far, 'listening');
  const proxy = createLinkProxy();
  const sockets: Socket[] = [];
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await proxy.close();
    far.close();
  });
  const port = await proxy.leadTo((far.address() as AddressInfo).port);
  const dial = async (): Promise<{ socket: Socket; heard: () => string }> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    await once(socket, 'connect');
    return { socket, heard: () => text };
  };

  const first = await dial();
  first.socket.write('one');
  await once(first.socket, 'data');
  assert.equal(first.heard(), 'one');

  proxy.cut();
  first.socket.write('two');
  const second = await dial();
  second.socket.write('never');
  await sleep(100);
  assert.equal(first.heard(), 'one');
  assert.equal(first.socket.destroyed, false);

  proxy.mend();
  await once(first.socket, 'data');
  assert.equal(first.heard(), 'onetwo');
  await sleep(50);
  assert.equal(second.heard(), '', 'what began meanwhile leads nowhere');
});
