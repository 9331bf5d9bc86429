/** What keeps a process alive: `loop().active()`. */
import type { Operation } from './operation.js';

/** Something that keeps the process alive. */
export interface ActiveResource {
  /** What it is: 'Connection', 'Listener', 'DatagramSocket', 'Pipe', 'File', 'Channel', 'Timer' … */
  kind: string;
  /** What it waits in, and for what: 'read', 'accept', "open '/tmp/x'". */
  what: string;
  /** The object that the program has, if there is one and it is not collected. */
  object: object | undefined;
  /** Where it was started, if the process was started with `UASYNC_TRACE=1`. */
  stack: string | undefined;
}

/** Whether it is noted where operations are started. */
export const keepsStacks: boolean = process.env.UASYNC_TRACE === '1';

const stacks = new WeakMap<object, string>();

/**
 * Notes who starts an operation.
 * @param again whether it is the loop that goes on with it: who started it first is the answer then.
 * @param below the function whose callers are noted.
 */
export function noteStack(of: object, again: boolean, below: (...args: never) => unknown): void {
  if (again && stacks.has(of)) return;
  const holder = { stack: '' };
  Error.captureStackTrace(holder, below);
  stacks.set(of, holder.stack.slice(holder.stack.indexOf('\n') + 1));
}

/** What keeps the process alive without an operation in flight, such as a timer of Node's. */
export class Hold {
  readonly #kind: string;
  readonly #what: string;
  readonly #object: () => object | undefined;

  constructor(kind: string, what: string, object: () => object | undefined) {
    this.#kind = kind;
    this.#what = what;
    this.#object = object;
  }

  /** It does from now on. */
  begin(): void {
    if (keepsStacks) noteStack(this, false, this.begin);
    holds.add(this);
  }

  /** It does no longer. */
  end(): void {
    holds.delete(this);
  }

  get active(): ActiveResource {
    return { kind: this.#kind, what: this.#what, object: this.#object(), stack: stacks.get(this) };
  }
}

const holds = new Set<Hold>();

/** Those of these operations that keep the process alive, and what else does. */
export function activeOf(operations: Iterable<Operation>): ActiveResource[] {
  const found: ActiveResource[] = [];
  for (const operation of operations) {
    if (!operation.referenced) continue;
    const { subject, kind, label } = operation;
    found.push({ kind, what: label, object: subject?.object, stack: stacks.get(operation) });
  }
  for (const hold of holds) found.push(hold.active);
  return found;
}
