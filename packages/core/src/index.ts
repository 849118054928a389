/** The public door of core. */

export type { CairnError, Failure, Ok, Result } from './result.ts';
export { AssertionFailed, assert, fail, ok, unreachable } from './result.ts';
