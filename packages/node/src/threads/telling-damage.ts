/** Whatever a port is asked: when damage keeps it from answering, that is told, and whoever asked is refused with `node.damaged`. */
import type { Finding } from '../audit/finding.ts';
import { NodeFailed } from '../failure.ts';
import { findingOf } from '../storage/storage-error.ts';

export function tellingDamage<T extends object>(onDamage: (finding: Finding) => void, port: T): T {
  const refuse = (cause: unknown): never => {
    const finding = findingOf(cause);
    if (finding === null) throw cause;
    onDamage(finding);
    const message = 'what this node keeps of that is not what was written: ask another node';
    throw new NodeFailed({ code: 'node.damaged', message });
  };
  const guarded = Object.entries(port).map(([name, member]: [string, unknown]) => {
    if (typeof member !== 'function') return [name, member];
    const asked = (...args: unknown[]): unknown => {
      try {
        const answer: unknown = Reflect.apply(member, port, args);
        return answer instanceof Promise ? answer.catch(refuse) : answer;
      } catch (cause) {
        return refuse(cause);
      }
    };
    return [name, asked];
  });
  return Object.fromEntries(guarded) as T;
}
