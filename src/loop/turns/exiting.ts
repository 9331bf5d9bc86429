/**
 * Whether the listeners of 'exit' are running, or have run: nothing else runs after them, so what they write must leave
 * as it is written.
 */
export function isExiting(): boolean {
  return (process as { _exiting?: boolean })._exiting === true;
}
