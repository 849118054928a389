/**
 * Threads that compute yield to the agreement thread: on a machine with few cores every message of agreement would else
 * wait for their time slices, and a block takes some eight messages one after the other.
 *
 * On Linux a priority belongs to a thread, and lowering one's own needs no privilege. Elsewhere it would be the process's,
 * so nothing is done there.
 */
import { setPriority } from 'node:os';
import process from 'node:process';

const yieldingPriority = 5;

/** Lowers the priority of the calling thread. */
export function yieldToAgreement(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(yieldingPriority);
  } catch {
    // A sandbox may forbid it; then all threads are equal.
  }
}
