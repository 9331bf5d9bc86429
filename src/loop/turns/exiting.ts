let exiting = false;

/**
 * Looks whether the listeners of 'exit' are running: when one of them is called, and when something is created that has
 * to know. Node's own property is a getter that costs half as much as a system call.
 */
export function noteExit(): void {
  exiting = (process as { _exiting?: boolean })._exiting === true;
}

/**
 * Whether the listeners of 'exit' are running, or have run: nothing else runs after them, so what they write must leave
 * as it is written. What the first of them write, before `noteExit`, leaves with the loop's own listener.
 */
export function isExiting(): boolean {
  return exiting;
}
