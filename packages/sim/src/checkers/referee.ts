/**
 * Everything that is checked besides agreement and honest signing, put together: certificates as they come, memory now and
 * then, proofs of fault and executed transactions at the end.
 */
import {
  type CairnError,
  epochOfProof,
  type FaultProof,
  type JournalRecord,
  type Message,
  type Result,
  type ValidatorIndex,
} from '@cairn-ledger/core';
import type { Driver } from '@cairn-ledger/node/driver';
import type { Violations } from '../checkers.ts';
import type { VirtualChain } from '../virtual-chain.ts';
import { indexOfName } from '../virtual-chain.ts';
import type { VirtualNode } from '../virtual-node.ts';
import { CertificateChecker } from './certificates.ts';
import { EpochSets } from './epoch-sets.ts';
import { MemoryChecker, type Peaks } from './memory.ts';
import { checkExecutedOnce } from './once.ts';
import { problemOfProof } from './proofs.ts';
import { SignedStatements } from './signed-statements.ts';

export class Referee {
  /** The chain whose signers are watched: the one to make nodes and adversaries of. */
  readonly chain: VirtualChain;
  readonly sets: EpochSets;
  readonly #statements: SignedStatements;
  readonly #certificates: CertificateChecker;
  readonly #memory: MemoryChecker;
  readonly #violations: Violations;

  constructor(chain: VirtualChain, violations: Violations) {
    const { length } = chain.everybody;
    this.sets = new EpochSets(chain.set, violations);
    this.#statements = new SignedStatements(length);
    this.chain = this.#statements.watch(chain);
    this.#certificates = new CertificateChecker(this.sets, this.#statements, violations);
    this.#memory = new MemoryChecker(violations);
    this.#violations = violations;
  }

  /** Most of each kind that an honest node has held. */
  get peaks(): Peaks {
    return this.#memory.peaks;
  }

  onPersisted(node: number, record: JournalRecord): void {
    this.#certificates.onPersisted(node, record);
  }

  onSent(node: number, frame: Uint8Array, decode: (frame: Uint8Array) => Result<Message, CairnError>): void {
    this.#certificates.onSent(node, frame, decode);
  }

  lookAtMemory(honest: readonly VirtualNode[]): void {
    for (const node of honest) this.#memory.look(node);
  }

  atEnd(
    honest: readonly VirtualNode[],
    isHonest: (validator: number) => boolean,
    mayRepeat: (name: string) => boolean,
  ): void {
    this.lookAtMemory(honest);
    checkExecutedOnce(honest, this.#violations, {
      mayRepeat,
      isByzantine: (epoch, author) => {
        const validator = this.sets.validatorsOf(epoch)?.[author];
        return validator !== undefined && !isHonest(validator);
      },
    });
    for (const { place, driver } of honest) {
      for (const proof of driver?.replica.proofs() ?? []) this.#checkProof(place, proof, isHonest);
      if (driver !== null) this.#checkBlame(place, driver, isHonest);
    }
  }

  /** Nobody honest is accused, or passed over as a leader. */
  #checkBlame(node: number, { replica, set }: Driver, isHonest: (validator: number) => boolean): void {
    const honestIn = (places: Iterable<ValidatorIndex>) =>
      [...places].map((place) => indexOfName(set.validators[place]!.id)).filter(isHonest);
    for (const each of honestIn(replica.accused())) this.#violations.add(`node ${node} accuses honest node ${each}`);
    for (const each of honestIn(replica.status().suspended))
      this.#violations.add(`node ${node} passes honest node ${each} over`);
  }

  #checkProof(node: number, proof: FaultProof, isHonest: (validator: number) => boolean): void {
    const set = this.sets.setOf(epochOfProof(proof));
    if (set === null) return this.#violations.add(`node ${node} holds a proof of an epoch that nobody began`);
    if (isHonest(indexOfName(set.validators[proof.accused]!.id)))
      this.#violations.add(`honest node ${proof.accused} is proven faulty by node ${node}: ${proof.type}`);
    const problem = problemOfProof(proof, set.validators, this.#statements);
    if (problem !== null) this.#violations.add(`node ${node} holds a proof that proves nothing: ${problem}`);
  }
}

/** Who is accused by a proof that one of these nodes holds, ascending. */
export function namedBy(nodes: readonly VirtualNode[]): number[] {
  const named = new Set<number>();
  for (const { driver } of nodes)
    for (const validator of driver?.replica.accused() ?? [])
      named.add(indexOfName(driver!.set.validators[validator]!.id));
  return [...named].sort((a, b) => a - b);
}

/**
 * Accountability (protocol.md section 6): after a fork, once the nodes are connected again and had some time, the proofs that
 * honest nodes hold name as many validators as two quorums must share.
 */
export function checkForkIsNamed(
  honest: readonly VirtualNode[],
  validatorsCount: number,
  byzantineCount: number,
  forks: readonly string[],
  violations: Violations,
): void {
  const named = namedBy(honest);
  const quorum = validatorsCount - Math.floor((validatorsCount - 1) / 3);
  const due = 2 * quorum - validatorsCount;
  const seesFork = honest.some(({ driver }) => driver?.replica.status().isForked === true);
  // A quorum of Byzantine nodes makes certificates alone, and need not contradict itself.
  if (forks.length > 0 && byzantineCount < quorum) {
    if (named.length < due) violations.add(`${forks[0]}, but only ${named.join(', ')} of ${due} are named`);
    if (!seesFork) violations.add(`${forks[0]}, and no honest node tells of a fork`);
  }
}
