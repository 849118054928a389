/** What it takes to harm a network of n validators (protocol.md section 1), in words. */
import { resilienceOf } from '@cairn-ledger/core';

export function resilienceText(validators: number): string {
  const { harmless, halt, fork, certifyFalse } = resilienceOf(validators);
  const fewer = validators < 4 ? ' (fewer than 4 validators are for development only)' : '';
  return (
    `withstands ${harmless} faulty ${harmless === 1 ? 'validator' : 'validators'} of ${validators}${fewer}; ${halt} can halt it, ` +
    `${fork} can fork it (and are named by proofs), ${certifyFalse} can certify a false result; no number can forge a device's signature`
  );
}
