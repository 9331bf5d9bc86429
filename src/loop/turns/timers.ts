import { ETIME } from '../../sys/abi/errno.js';
import { checkDuration } from '../../sys/check/check.js';
import { loop } from '../current.js';
import { PromiseOperation } from '../operation/operation.js';
import { OperationPool } from '../operation/pool.js';
import { AbortableOperation, signalOf, throwIfAborted } from '../waiting/abort.js';

class SleepOperation extends AbortableOperation<void> {
  override get kind(): string {
    return 'Timer';
  }

  override get syscall(): string {
    return 'timeout';
  }

  run(ms: number, signal: AbortSignal | undefined): Promise<void> {
    this.loop.start(this).timeout(ms);
    this.watch(signal);
    return this.promise();
  }

  complete(res: number): void {
    this.conclude(res === ETIME ? 0 : res, undefined);
    sleeps.give(this);
  }
}

const sleeps = new OperationPool(SleepOperation);

/**
 * Resolves after `ms` milliseconds, fractions included: 0.25 is 250 microseconds.
 * @throws (as a rejection) TypeError or RangeError for a wrong `ms`, AbortError when `signal` is aborted.
 */
export async function sleep(ms: number, options?: { signal?: AbortSignal }): Promise<void> {
  checkDuration('ms', ms);
  const signal = signalOf(options);
  throwIfAborted(signal);
  return sleeps.take(loop()).run(ms, signal);
}

class NopOperation extends PromiseOperation<void> {
  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return 'nop';
  }

  run(): Promise<void> {
    this.loop.start(this).nop();
    return this.promise();
  }

  complete(): void {
    this.resolve();
    nops.give(this);
  }
}

const nops = new OperationPool(NopOperation);

/** Submits a NOP and awaits its completion: the cheapest operation. */
export function nop(): Promise<void> {
  return nops.take(loop()).run();
}
