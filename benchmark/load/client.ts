/**
 * The common part of the load generators in JavaScript. They reimplement those in C on the ring, for machines without a
 * compiler, with the same arguments and the same line of JSON.
 */
import { createInterface } from 'node:readline';
import { Latencies } from '../latencies.js';

/**
 * How long messages in flight at the end may take to come back, and after which time a datagram counts as lost, in
 * milliseconds. $UASYNC_LOAD_GRACE, in seconds, changes it, for machines that are too busy for measurements.
 */
export const GRACE = Number(process.env.UASYNC_LOAD_GRACE ?? 1) * 1000;

/** How long connections may take to be established: the server's queue takes its time. */
export function patienceFor(conns: number): number {
  return GRACE + conns;
}

/** The counts of a run so far. */
export class Counts {
  ops = 0;
  corrupt = 0;
  lost = 0;
  late = 0;
  tardy = 0;
  readonly start = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #latencies = new Latencies();

  /** Counts a finished operation with its latency from the due time, in milliseconds. */
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
    await awaitStep();
    process.exitCode = corrupt === 0 && (lost === 0 || !lossIsFailure) ? 0 : 1;
  }
}

/** Waits for a line of the standard input, if `$UASYNC_LOAD_STEPS` asks for it: see `await_step` in client.h. */
async function awaitStep(): Promise<void> {
  if (process.env.UASYNC_LOAD_STEPS === undefined) return;
  const lines = createInterface(process.stdin);
  await new Promise<void>(resolve => {
    lines.once('line', () => resolve());
    lines.once('close', resolve);
  });
  lines.close();
  process.stdin.pause();
}

/** The connections are established: the server has answered on each. */
export async function established(): Promise<void> {
  if (process.env.UASYNC_LOAD_STEPS === undefined) return;
  console.log('ready');
  await awaitStep();
}

/** Runs `count` of the same concurrently. */
export async function together(count: number, each: (index: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => each(index)));
}

/** A server that disconnects ends the run. */
export function serverClosed(): never {
  console.error('the server closed a connection');
  process.exit(1);
}
