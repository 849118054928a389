/** What a proposal would change, as a line for people. */
import type { ProposedChange } from '../../http/membership-port.ts';
import { plainText } from '../output.ts';

export function changeLine(change: ProposedChange): string {
  return plainText(lineOf(change));
}

function lineOf(change: ProposedChange): string {
  switch (change.kind) {
    case 'add-member':
      return `add member ${change.member} (${change.name})`;
    case 'admit-validator': {
      const where = [change.host, change.operator].filter((text) => text !== undefined).join(', run by ');
      return `admit validator ${change.validator} of ${change.member} at ${change.addresses.join(', ')}${where === '' ? '' : ` (${where})`}`;
    }
    case 'remove-validator':
      return `remove validator ${change.validator}`;
    case 'change-parameters':
      return `parameters ${Object.entries(change.parameters)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`;
    case 'change-rules':
      return `rules ${change.rules}`;
    default:
      // A newer node may know more kinds.
      return String((change as { kind: unknown }).kind);
  }
}
