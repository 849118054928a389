/**
 * Exit codes of the `cairn` command (shown by `cairn help`).
 *
 * 0 done; 1 failed for a reason that trying again may mend (network, disk); 2 called wrongly (usage, configuration,
 * keys); 3 the ledger refused the transaction; 4 not true: a receipt that does not verify, a check that fails.
 */
import type { CairnError } from '@cairn-ledger/core';

export const exitCodes = { done: 0, failed: 1, usage: 2, refused: 3, untrue: 4 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export const exitCodesHelp = `
Exit codes:
  0  done
  1  failed; trying again may help (network, disk, timeout)
  2  called wrongly (usage, configuration, keys, input file)
  3  the ledger refused the transaction
  4  not true: a receipt that does not verify, a check that failed`;

const usageKinds = new Set(['config', 'keyfile', 'usage', 'feed', 'counter', 'init', 'invitation']);
const refusedKinds = new Set([
  'tx',
  'reading',
  'account',
  'asset',
  'key',
  'quota',
  'device',
  'member',
  'proposal',
  'validator',
  'ready',
]);
const untrueKinds = new Set([
  'anchor',
  'proof',
  'receipt',
  'checkpoint',
  'verify',
  'doctor',
  'join',
  'restart',
  'recertify',
]);

/** The exit code of an error, by the part of its code before the dot. */
export function exitCodeOf(error: CairnError): ExitCode {
  const kind = error.code.split('.')[0]!;
  if (usageKinds.has(kind)) return exitCodes.usage;
  if (refusedKinds.has(kind)) return exitCodes.refused;
  if (untrueKinds.has(kind)) return exitCodes.untrue;
  return exitCodes.failed;
}

/** Ends a command: `main.ts` prints the error and exits with its code. */
export class CommandFailed extends Error {
  readonly error: CairnError;
  readonly exitCode: ExitCode;

  constructor(error: CairnError, exitCode: ExitCode = exitCodeOf(error)) {
    super(error.message);
    this.error = error;
    this.exitCode = exitCode;
  }
}

/** The value of a result, or the end of the command. */
export function orFail<T>(result: { ok: true; value: T } | { ok: false; error: CairnError }): T {
  if (!result.ok) throw new CommandFailed(result.error);
  return result.value;
}
