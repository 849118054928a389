/** The part of cli-progress that is used here; the package brings no types of its own. */
declare module 'cli-progress' {
  export type BarOptions = {
    readonly format?: string;
    readonly stream?: NodeJS.WritableStream;
    readonly hideCursor?: boolean;
    readonly etaBuffer?: number;
  };
  type Payload = Readonly<Record<string, string>>;
  export class SingleBar {
    constructor(options: BarOptions, preset?: object);
    start(total: number, value: number, payload?: Payload): void;
    update(value: number, payload?: Payload): void;
    stop(): void;
  }
  export const Presets: { readonly shades_classic: object };
}
