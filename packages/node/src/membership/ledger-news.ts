/** What of execution's events is news for people, as plain JSON. The rest can be seen in transactions. */
import { type LedgerEvent, toHex } from '@cairn-ledger/core';
import type { News } from '../http/news.ts';

export function eventsToNews(events: readonly LedgerEvent[]): News[] {
  return events.flatMap((event) => eventToNews(event) ?? []);
}

function eventToNews(event: LedgerEvent): News | null {
  switch (event.type) {
    case 'misbehaviour': {
      const { validator, member, kind, height } = event;
      return { kind: 'fault-proven', data: { validator, member, fault: kind, atHeight: height } };
    }
    case 'proposal-opened':
    case 'proposal-voted':
    case 'proposal-closed': {
      const { type, proposal, ...data } = event;
      return {
        kind: type,
        data: { proposal: toHex(proposal), ...data, ...('code' in data && { code: data.code ?? undefined }) },
      };
    }
    case 'validator-ready': {
      const { type, validator, kind } = event;
      return { kind: type, data: { validator, for: kind } };
    }
    case 'suspended':
    case 'cleared':
    case 'attested':
    case 'member-added':
    case 'parameters-changed':
    case 'validator-admitted':
    case 'ready-lapsed':
    case 'target-changed': {
      const { type, ...data } = event;
      return { kind: type, data };
    }
    default:
      return null;
  }
}
