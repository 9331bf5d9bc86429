/**
 * Leaves the domain (`node:domain`) of the code that has caused a turn: what the turn delivers belongs to other code too.
 * An async scope of that code does not do so, if it has no domain.
 */
export function leaveDomain(): void {
  (process as { domain?: { exit(): void } | null }).domain?.exit();
}
