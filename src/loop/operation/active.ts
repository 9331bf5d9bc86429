/** What keeps a process alive: `loop().active()`. */
import type { Pending } from './pending.js';

/** Something that keeps the process alive. */
export interface ActiveResource {
  /** Its type: 'Connection', 'Listener', 'DatagramSocket', 'Pipe', 'File', 'Channel', 'Timer' … */
  kind: string;
  /** What it is waiting for: 'read', 'accept', "open '/tmp/x'". */
  what: string;
  /** The program's object, if there is one and it has not been collected. */
  object: object | undefined;
  /** Where it was started, if the process runs with `UASYNC_TRACE=1`. */
  stack: string | undefined;
}

/** Whether the stacks of starting operations are recorded. */
export const keepsStacks: boolean = process.env.UASYNC_TRACE === '1';

const stacks = new WeakMap<object, string>();

/**
 * Records who starts an operation.
 * @param again whether the loop continues it: then the stack of its first start is kept.
 * @param below the function whose callers are recorded.
 */
export function noteStack(of: object, again: boolean, below: (...args: never) => unknown): void {
  if (again && stacks.has(of)) return;
  const holder = { stack: '' };
  Error.captureStackTrace(holder, below);
  stacks.set(of, holder.stack.slice(holder.stack.indexOf('\n') + 1));
}

/** Something other than an operation in flight that keeps the process alive, such as a timer of Node's. */
export class Hold {
  readonly #kind: string;
  readonly #what: string;
  readonly #object: () => object | undefined;

  constructor(kind: string, what: string, object: () => object | undefined) {
    this.#kind = kind;
    this.#what = what;
    this.#object = object;
  }

  /** It keeps the process alive from now on. */
  begin(): void {
    if (keepsStacks) noteStack(this, false, this.begin);
    holds.add(this);
  }

  /** It no longer keeps the process alive. */
  end(): void {
    holds.delete(this);
  }

  get active(): ActiveResource {
    return { kind: this.#kind, what: this.#what, object: this.#object(), stack: stacks.get(this) };
  }
}

const holds = new Set<Hold>();

/** The operations among these that keep the process alive, and everything else that does. */
export function activeOf(operations: Iterable<Pending>): ActiveResource[] {
  const found: ActiveResource[] = [];
  for (const operation of operations) {
    if (!operation.referenced) continue;
    const { subject, kind, label } = operation;
    found.push({ kind, what: label, object: subject?.object, stack: stacks.get(operation) });
  }
  for (const hold of holds) found.push(hold.active);
  return found;
}
