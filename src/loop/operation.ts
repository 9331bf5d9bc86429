import { type Deferred, promiseOf } from './deferred.js';
import type { Loop } from './loop.js';
import { rejectTraced } from './traced.js';

/** Who an operation is for, as it is named to the user. */
export interface Subject {
  /** The class of the object that users hold. */
  readonly kind: string;
  /** -1 once closed. */
  readonly fd: number;
  /** That object, while the program holds it. */
  readonly object: object | undefined;
}

/**
 * Something that waits for completions. While it is in flight it has a slot; everything that it
 * references is kept until its last completion has come.
 */
export abstract class Operation {
  /** The slot while in flight, -1 otherwise. Owned by the loop. */
  slot = -1;
  /** Whether a pool keeps it to be used again. */
  pooled = false;
  /** The loop it is in flight on. */
  readonly loop: Loop;
  /** Whether it keeps the process alive. */
  referenced = true;

  /** Who it is for; null if it is for one call. */
  subject: Subject | null = null;

  constructor(loop: Loop) {
    this.loop = loop;
  }

  /** What it belongs to, as `Loop.active()` and the trace name it. */
  get kind(): string {
    return this.subject === null ? 'Operation' : this.subject.kind;
  }

  /** What it does, and to what. */
  get label(): string {
    return this.syscall;
  }

  /**
   * Likely to complete while it is submitted, as cached reads do: the loop then reaps in the same turn.
   * For sockets that makes batches smaller and costs CPU.
   */
  get eager(): boolean {
    return false;
  }

  /** Memory is short: an operation that waits for a peer with a block must give it back and wait without. Returns whether it does. */
  yieldBlock(): boolean {
    return false;
  }

  /**
   * A completion has come. The slot is free already if this was the last (no CQE_F_MORE in `flags`), so
   * that the operation may start again. It must not throw, nor run the user's code.
   */
  abstract complete(res: number, flags: number): void;

  /** What a cancelled or failed one would be called in an error: the system call's name. */
  abstract get syscall(): string;
}

/** An operation that settles one promise. */
export abstract class PromiseOperation<T> extends Operation implements Deferred<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  /** A new promise, which `resolve` and `reject` settle from now on. */
  protected promise(): Promise<T> {
    return promiseOf(this);
  }

  /** Rejects with an error whose stack says who waits. */
  protected fail(error: unknown): void {
    rejectTraced(this, error);
  }
}
