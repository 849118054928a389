/** What a repair or a sync did, as data: for logs, metrics and people. */

export type HealingReport = {
  readonly what: 'state-sync' | 'chain-repaired' | 'chain-replaced' | 'view-rebuilt' | 'nothing';
  /** Rows that were written, by table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly bytesFetched: number;
  readonly tookMs: number;
  /** The height of the chain at the end; null where there is none. */
  readonly height: number | null;
};

export type HealingStage = 'epochs' | 'snapshot' | 'state' | 'history' | 'floors' | 'writing' | 'looking' | 'blocks';

/** `done` and `total` count what the stage is about; `total` null: not known. */
export type HealingProgress = {
  readonly stage: HealingStage;
  readonly done: number;
  readonly total: number | null;
  readonly bytesFetched: number;
};

export type OnProgress = (progress: HealingProgress) => void;
