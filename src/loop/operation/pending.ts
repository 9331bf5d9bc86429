/** The object that an operation works for, as shown to the user. */
export interface Subject {
  /** The class of the object that users hold. */
  readonly kind: string;
  /** -1 once closed. */
  readonly fd: number;
  /** That object, while the program holds it. */
  readonly object: object | undefined;
}

/** What the loop sees of an operation in flight: see `Operation`. */
export interface Pending {
  /** The slot while in flight, -1 otherwise. Owned by the loop. */
  slot: number;
  /** Whether it keeps the process alive. */
  referenced: boolean;
  /** The object it works for; null if it works for a single call. */
  readonly subject: Subject | null;
  /** The type of its object, as `Loop.active()` and the trace show it. */
  readonly kind: string;
  /** What it does, and with what. */
  readonly label: string;
  /**
   * Whether it is likely to complete while it is submitted, as cached reads do: the loop then reaps in the same turn.
   * For sockets that makes batches smaller and costs CPU.
   */
  readonly eager: boolean;
  /** The name for errors of a cancelled or failed operation: the system call's. */
  readonly syscall: string;
  /**
   * Memory is short: an operation that holds a block while it waits for a peer must return it and wait without. Returns
   * whether it does.
   */
  yieldBlock(): boolean;
  /**
   * A completion has come. The slot is already free if this was the last one (no CQE_F_MORE in `flags`), so that the
   * operation may start again. It must not throw, nor run the user's code.
   */
  complete(res: number, flags: number): void;
}
