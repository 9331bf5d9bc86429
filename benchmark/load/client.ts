/**
 * What the load generators in JavaScript share. They are those in C over again, on the ring, for machines
 * without a compiler: the same arguments, the same line of JSON.
 */
import { Latencies } from '../latencies.js';

/**
 * How long what is under way at the end may take to come back, and a datagram before it counts as lost, in
 * milliseconds. $UASYNC_LOAD_GRACE, in seconds, makes it longer: for machines that are busier than one to
 * measure on.
 */
export const GRACE = Number(process.env.UASYNC_LOAD_GRACE ?? 1) * 1000;

/** Bytes that do not repeat within themselves. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = 12345; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}

/** What a run has counted so far. */
export class Counts {
  ops = 0;
  corrupt = 0;
  lost = 0;
  late = 0;
  tardy = 0;
  readonly start = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #latencies = new Latencies();

  /** An operation that is done, so many milliseconds after it was due. */
  done(latency: number): void {
    this.ops++;
    this.#latencies.add(latency);
  }

  /** Prints the line, and sets the exit code. */
  async print(lossIsFailure = true): Promise<void> {
    const { ops, corrupt, lost, late, tardy } = this;
    const seconds = (performance.now() - this.start) / 1000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const line = JSON.stringify({
      ops,
      seconds,
      cpu: (user + system) / 1e6,
      corrupt,
      lost,
      late,
      tardy,
      latencies: this.#latencies,
    });
    await new Promise(resolve => process.stdout.write(`${line}\n`, resolve));
    process.exitCode = corrupt === 0 && (lost === 0 || !lossIsFailure) ? 0 : 1;
  }
}

/** `count` of the same at once. */
export async function together(count: number, each: (index: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => each(index)));
}

/** A server that hangs up ends the run. */
export function serverClosed(): never {
  console.error('the server closed a connection');
  process.exit(1);
}
