/** Arguments of a command: what is wrong with them is said together with the usage, and ends the process with code 2. */
import process from 'node:process';
import { type ParseArgsConfig, parseArgs } from 'node:util';

export class Arguments<T extends ParseArgsConfig> {
  readonly given: ReturnType<typeof parseArgs<T>>;
  readonly #usage: string;

  /** With `--help` among them, tells the usage and ends the process. */
  constructor(usage: string, config: T) {
    this.#usage = usage;
    if (process.argv.slice(2).includes('--help')) {
      console.log(usage);
      process.exit(0);
    }
    try {
      this.given = parseArgs(config);
    } catch (error) {
      this.refuse(error instanceof Error ? error.message : String(error));
    }
  }

  refuse(message: string): never {
    console.error(`${message}\n${this.#usage}`);
    process.exit(2);
  }

  readCount(text: string, min: number, max: number): number {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      return this.refuse(`"${text}" is no whole number from ${min} to ${max}`);
    return value;
  }

  readName<N extends string>(text: string, names: readonly N[]): N {
    return names.find((name) => name === text) ?? this.refuse(`"${text}" is none of ${names.join(', ')}`);
  }
}
