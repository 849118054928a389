/** Yesterday's data folder is put back: the node has forgotten what it has signed since. */
import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Attack, AttackScene } from '../attack.ts';

export const rollback: Attack = {
  name: 'rollback',
  what: "its process is killed and yesterday's data folder put back",
  noticedBy: ['fenced'],
  shutOutBy: ['fenced', 'suspended', 'unreachable'],
  isWindowed: false,
  mayBeProven: false,
  voidsOwnPromises: true,
  needsNewKeys: false,
  isHarmless: false,
  async prepare(scene) {
    const { target } = scene;
    await target.stop();
    cpSync(join(target.dir, 'data'), yesterdayOf(scene), { recursive: true });
    await target.start();
  },
  async begin(scene) {
    const { target } = scene;
    const beganMs = Date.now();
    await target.kill();
    const dataDir = join(target.dir, 'data');
    rmSync(dataDir, { recursive: true, force: true });
    renameSync(yesterdayOf(scene), dataDir);
    await target.start();
    return { beganMs, end: null };
  },
};

function yesterdayOf({ network, target }: AttackScene): string {
  return join(network.dir, `${target.id}.yesterday`);
}
