/**
 * A second instance with the same keys: the whole folder of a node is copied while it stands still for a moment, as the snapshot of
 * a machine is taken, and the copy is started beside it.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readNodeConfig, writeNodeConfig } from '../../../config/node-config.ts';
import { startNodeProcess } from '../../dev/node-process.ts';
import { orFail } from '../../exit-code.ts';
import type { Attack } from '../attack.ts';

export const twin: Attack = {
  name: 'twin',
  what: 'a copy of its folder, keys and all, is started as a second instance beside it',
  noticedBy: ['proven', 'fenced', 'suspended', 'refused'],
  shutOutBy: ['fenced', 'suspended', 'refused'],
  isWindowed: false,
  mayBeProven: true,
  voidsOwnPromises: false,
  needsNewKeys: true,
  isHarmless: false,
  holdMs: 10_000,
  async begin({ network, target, watchLog, tell }) {
    const dir = join(network.dir, `${target.id}.twin`);
    rmSync(dir, { recursive: true, force: true });
    target.pause();
    try {
      cpSync(target.dir, dir, { recursive: true });
    } finally {
      target.resume();
    }
    const config = orFail(readNodeConfig(dir));
    const [link, http] = [await network.freePort(), await network.freePort()];
    writeNodeConfig(dir, { ...config, listen: { ...config.listen, port: link }, http: { ...config.http, port: http } });
    rmSync(join(dir, 'node.log'), { force: true });
    const process = startNodeProcess(dir);
    watchLog(join(dir, 'node.log'));
    const exit = await process.started;
    if (exit !== null) tell('the second instance did not start');
    return {
      beganMs: Date.now(),
      async end() {
        process.kill();
        await process.exited;
      },
    };
  },
};
