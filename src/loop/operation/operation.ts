import type { Loop } from '../loop.js';
import { type Deferred, promiseOf } from './deferred.js';
import type { Pending, Subject } from './pending.js';
import { rejectTraced } from './traced.js';

/**
 * Something that waits for completions. While it is in flight it has a slot, and everything that it references is kept
 * until its last completion.
 */
export abstract class Operation implements Pending {
  slot = -1;
  /** Whether a pool keeps it for reuse. */
  pooled = false;
  /** The loop it is in flight on. */
  readonly loop: Loop;
  referenced = true;
  subject: Subject | null = null;

  constructor(loop: Loop) {
    this.loop = loop;
  }

  get kind(): string {
    return this.subject === null ? 'Operation' : this.subject.kind;
  }

  get label(): string {
    return this.syscall;
  }

  get eager(): boolean {
    return false;
  }

  yieldBlock(): boolean {
    return false;
  }

  abstract complete(res: number, flags: number): void;

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
