/** A peer that does work itself, a round for each line of its standard input. */
import { createInterface } from 'node:readline';
import { Latencies } from '../latencies.js';

/** A round of work, and its progress. */
export class Round {
  /** Operations done. */
  ops = 0;
  readonly latencies = new Latencies();
  readonly #end: number;

  constructor(seconds: number) {
    this.#end = performance.now() + seconds * 1000;
  }

  /** Whether the time is up. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /** Repeats `each` until the time is up, which is checked once per `batch` operations. */
  async repeat(batch: number, each: () => unknown): Promise<void> {
    do {
      for (let i = 0; i < batch; i++) {
        const doing = each();
        if (doing instanceof Promise) await doing;
        this.ops++;
      }
    } while (!this.over);
  }

  /** The same with `atATime` operations at a time. */
  async spread(atATime: number, batch: number, each: (worker: number) => Promise<unknown>): Promise<void> {
    const worker = async (index: number): Promise<void> => {
      do {
        for (let i = 0; i < batch; i++) {
          await each(index);
          this.ops++;
        }
      } while (!this.over);
    };
    await Promise.all(Array.from({ length: atATime }, (_, index) => worker(index)));
  }
}

/**
 * For each line, a number of seconds, works for that time and prints the result as one line of JSON; CPU times are in
 * microseconds of the process, for all its threads. Ends with its standard input. `tidy` removes what a round has
 * created, which does not count.
 */
export async function serveRounds(
  work: (round: Round) => Promise<void> | void,
  tidy: () => Promise<void> | void = () => {},
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const before = process.cpuUsage();
    const start = performance.now();
    const round = new Round(Number(line));
    await work(round);
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(before);
    await tidy();
    console.log(
      JSON.stringify({ ops: round.ops, seconds, cpu: user + system, system, latencies: round.latencies }),
    );
  }
}
