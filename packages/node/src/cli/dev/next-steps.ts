/** What to try with a running development network: lines to copy. */
import { relative } from 'node:path';
import process from 'node:process';
import { devFolder } from '../network.ts';
import { style } from '../output.ts';
import { type DevNetwork, userMember } from './dev-network.ts';
import type { FirstReceipt } from './first-receipt.ts';

export function nextStepLines(network: DevNetwork, receipt: FirstReceipt): string[] {
  const isDefault = relative(process.cwd(), network.dir) === devFolder;
  const on = isDefault ? '' : ` --network ${shortPath(network.networkPath)}`;
  const key = isDefault ? '' : ` --key ${shortPath(network.keyPath(`${userMember}/desk`))}`;
  const other = network.nodes.at(-1)!;
  const steps: [string, string][] = [
    [
      'send a reading of your own and keep its receipt',
      `npx cairn send temperature=21.5:Cel${on}${key} --save my.receipt`,
    ],
    ['verify the receipt offline: no node is asked', `npx cairn verify my.receipt${on}`],
    [
      `see the same bytes on the node of ${other.member}`,
      `npx cairn show ${receipt.id}${on} --node ${other.id} --bytes`,
    ],
    [
      'have a forged one rejected: one byte of a reading changed',
      `npx cairn send --file ${shortPath(receipt.forgedPath)}${on} --wait`,
    ],
    ['see the readings, with what was sent', `npx cairn readings ${userMember}/desk${on}`],
  ];
  return [
    style('bold', 'What to try next, in another terminal:'),
    ...steps.flatMap(([what, line]) => [style('dim', `  # ${what}`), `  ${line}`]),
  ];
}

/** Relative where that is inside the present folder, else absolute. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}
