/** All attacks, in the order in which a whole drill makes them. */
import type { Attack, AttackName } from './attack.ts';
import { bitrot } from './attacks/bitrot.ts';
import { equivocate } from './attacks/equivocate.ts';
import { flood } from './attacks/flood.ts';
import { partition } from './attacks/partition.ts';
import { rollback } from './attacks/rollback.ts';
import { silence } from './attacks/silence.ts';
import { stealKey } from './attacks/steal-key.ts';
import { tamper } from './attacks/tamper.ts';
import { twin } from './attacks/twin.ts';
import { wipe } from './attacks/wipe.ts';

export const attackByName: Readonly<Record<AttackName, Attack>> = {
  tamper,
  bitrot,
  wipe,
  rollback,
  twin,
  equivocate,
  silence,
  partition,
  flood,
  'steal-key': stealKey,
};
