import type { Loop } from '../loop.js';
import { type Deferred, promiseOf } from './deferred.js';
import { rejectTraced } from './traced.js';

/** The object that an operation works for, as shown to the user. */
export interface Subject {
  /** The class of the object that users hold. */
  readonly kind: string;
  /** -1 once closed. */
  readonly fd: number;
  /** That object, while the program holds it. */
  readonly object: object | undefined;
}

/**
 * Something that waits for completions. While it is in flight it has a slot, and everything that it references is kept
 * until its last completion.
 */
export abstract class Operation {
  /** The slot while in flight, -1 otherwise. Owned by the loop. */
  slot = -1;
  /** Whether a pool keeps it for reuse. */
  pooled = false;
  /** The loop it is in flight on. */
  readonly loop: Loop;
  /** Whether it keeps the process alive. */
  referenced = true;

  /** The object it works for; null if it works for a single call. */
  subject: Subject | null = null;

  constructor(loop: Loop) {
    this.loop = loop;
  }

  /** The type of its object, as `Loop.active()` and the trace show it. */
  get kind(): string {
    return this.subject === null ? 'Operation' : this.subject.kind;
  }

  /** What it does, and with what. */
  get label(): string {
    return this.syscall;
  }

  /**
   * Whether it is likely to complete while it is submitted, as cached reads do: the loop then reaps in the same turn.
   * For sockets that makes batches smaller and costs CPU.
   */
  get eager(): boolean {
    return false;
  }

  /**
   * Memory is short: an operation that holds a block while it waits for a peer must return it and wait without. Returns
   * whether it does.
   */
  yieldBlock(): boolean {
    return false;
  }

  /**
   * A completion has come. The slot is already free if this was the last one (no CQE_F_MORE in `flags`), so that the
   * operation may start again. It must not throw, nor run the user's code.
   */
  abstract complete(res: number, flags: number): void;

  /** The name for errors of a cancelled or failed operation: the system call's. */
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

  /** Rejects with an error whose stack shows who waits. */
  protected fail(error: unknown): void {
    rejectTraced(this, error);
  }
}
