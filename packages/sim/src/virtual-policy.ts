/**
 * What the simulated ledger wants of the validator set: the policy of protocol.md section 5 in small. It reads transactions that
 * say so, and proven faults; everything follows from the blocks alone, so all nodes want the same.
 *
 *     admit v004    it may join once it is ready       remove v002    it leaves
 *     ready v004 <life number> <seal>                  a new or returning node has a safety record with this number
 */
import {
  createEpochTarget,
  type EpochSet,
  type EpochTarget,
  fromHex,
  isChange,
  sha256,
  toHex,
  type Validator,
} from '@cairn-ledger/core';

export type Policy = {
  readonly target: EpochTarget;
  readonly admitted: readonly string[];
  readonly removals: readonly string[];
  readonly faulty: readonly string[];
  readonly ready: readonly { readonly id: string; readonly life: string }[];
  /** Height at which each validator was last taken in, or back. */
  readonly takenAt: Readonly<Record<string, number>>;
};

/** A validator comes back at most once in so many heights. */
const heightsBetweenReturns = 20;
/** Nobody is removed below this size. */
const validatorsMin = 4;

export function firstPolicy(target: EpochTarget): Policy {
  return { target, admitted: [], removals: [], faulty: [], ready: [], takenAt: {} };
}

/** @param faulty ids of validators that the block proves faulty */
export function policyAfter(
  before: Policy,
  set: EpochSet,
  height: number,
  names: readonly string[],
  faulty: readonly string[],
  everybody: readonly Validator[],
): Policy {
  const heard = names.reduce((policy, name) => hear(policy, name.split(' ')), withFaulty(before, faulty));
  // One change at a time: the next one waits for the epoch that this one leads to.
  if (isChange(set, heard.target)) return heard;
  return remove(heard) ?? takeIn(heard, height, everybody) ?? heard;
}

function withFaulty(policy: Policy, ids: readonly string[]): Policy {
  const fresh = ids.filter((id) => !policy.faulty.includes(id));
  return fresh.length === 0 ? policy : { ...policy, faulty: [...policy.faulty, ...fresh] };
}

/** In place of the signature of the node that says it: whoever garbles the words of others on the way makes no word of them. */
export function readySeal(id: string, life: string): string {
  return toHex(sha256(new TextEncoder().encode(`ready ${id} ${life}`))).slice(0, 16);
}

function hear(policy: Policy, [verb, id, life, seal]: readonly string[]): Policy {
  if (id === undefined) return policy;
  if (verb === 'admit' && !policy.admitted.includes(id)) return { ...policy, admitted: [...policy.admitted, id] };
  if (verb === 'remove' && !policy.removals.includes(id)) return { ...policy, removals: [...policy.removals, id] };
  if (verb !== 'ready' || life === undefined || seal !== readySeal(id, life)) return policy;
  return { ...policy, ready: [...policy.ready.filter((each) => each.id !== id), { id, life }] };
}

function remove(policy: Policy): Policy | null {
  const { validators, rules } = policy.target;
  const room = validators.length - validatorsMin;
  const faulty = validators.filter(({ id }) => policy.faulty.includes(id)).slice(0, Math.max(0, room));
  const asked = validators.filter(({ id }) => policy.removals.includes(id)).slice(0, room > 0 ? 1 : 0);
  const leaving = faulty.length > 0 ? faulty : asked;
  if (leaving.length === 0) return null;
  const gone = leaving.map(({ id }) => id);
  return {
    ...policy,
    target: createEpochTarget(
      validators.filter(({ id }) => !gone.includes(id)),
      rules,
    ),
    removals: policy.removals.filter((id) => !gone.includes(id)),
    admitted: policy.admitted.filter((id) => !gone.includes(id)),
    ready: policy.ready.filter(({ id }) => !gone.includes(id)),
  };
}

function takeIn(policy: Policy, height: number, everybody: readonly Validator[]): Policy | null {
  const { validators, rules } = policy.target;
  for (const { id, life } of policy.ready) {
    const present = validators.find((validator) => validator.id === id);
    const isDue = height >= (policy.takenAt[id] ?? -heightsBetweenReturns) + heightsBetweenReturns;
    const mayBe = present === undefined ? policy.admitted.includes(id) : !policy.faulty.includes(id);
    if (!isDue || !mayBe || (present?.life != null && toHex(present.life) === life)) continue;
    const record = everybody.find((validator) => validator.id === id)!;
    const others = validators.filter((validator) => validator.id !== id);
    return {
      ...policy,
      target: createEpochTarget([...others, { ...record, life: fromHex(life)! }], rules),
      ready: policy.ready.filter((each) => each.id !== id),
      takenAt: { ...policy.takenAt, [id]: height },
    };
  }
  return null;
}
