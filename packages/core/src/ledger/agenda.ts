/** What may change the target set as soon as nothing is in flight (set-changes.ts decides): one record, absent when empty. */
import { paths } from './records.ts';
import { type Agenda, agendaKind, noAgenda } from './set-records.ts';
import type { WorkingState } from './working-state.ts';

export function agendaOf(state: WorkingState): Agenda {
  return state.get(agendaKind, paths.agenda) ?? noAgenda;
}

export function isEmptyAgenda({ faulty, removals, readies, rules }: Agenda): boolean {
  return faulty.length === 0 && removals.length === 0 && readies.length === 0 && rules === null;
}

export function writeAgenda(state: WorkingState, agenda: Agenda): void {
  state.set(agendaKind, paths.agenda, isEmptyAgenda(agenda) ? null : agenda);
}

/** The lists grow at the end: first come, first served. */
export function addToAgenda(state: WorkingState, list: 'removals' | 'readies', id: string): void {
  const agenda = agendaOf(state);
  if (!agenda[list].includes(id)) writeAgenda(state, { ...agenda, [list]: [...agenda[list], id] });
}

export function dropFromAgenda(state: WorkingState, list: 'removals' | 'readies', id: string): void {
  const agenda = agendaOf(state);
  if (agenda[list].includes(id)) writeAgenda(state, { ...agenda, [list]: agenda[list].filter((each) => each !== id) });
}
