/**
 * Results are certified anew in a simulated network (protocol.md section 4): what the operator's command does to the disk of a node that
 * does not run.
 */
import { epochAfter } from './stored-origin.ts';
import type { VirtualChain } from './virtual-chain.ts';
import type { VirtualDisk } from './virtual-disk.ts';
import { executeBlock } from './virtual-ledger.ts';

export function recertifyDisk(
  disk: VirtualDisk,
  chain: VirtualChain,
  record: { readonly above: number; readonly round: number },
): void {
  disk.rounds.push(record);
  for (const each of disk.executed.splice(record.above)) {
    executeBlock(disk, chain, epochAfter(chain, disk.executed).set, each);
  }
}
