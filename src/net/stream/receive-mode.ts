/**
 * The choice of how a connection receives. Provided buffers cost an idle connection no memory, and small messages no
 * call; but what they receive is copied once more. Large chunks are cheaper by readiness and a call of their own, which
 * puts them where their reader has them.
 */

/** From this length on a chunk speaks for calls: the copy costs more than a poll and a call. */
export const LARGE = 32 * 1024;
/** Below this one speaks for provided buffers. */
const SMALL = 16 * 1024;
/** How many chunks in a row must say the same before the mode changes. */
const RUN = 4;

/** A mode, with the number of chunks in a row that have spoken against it. */
export type ReceiveMode = number;

/** By provided buffers: where each connection begins. */
export const PROVIDED: ReceiveMode = 0;
const CALLS: ReceiveMode = RUN;

/** Whether to receive by calls. */
export function receivesByCalls(mode: ReceiveMode): boolean {
  return mode >= CALLS;
}

/** The mode after a chunk of this length. */
export function modeAfter(mode: ReceiveMode, length: number): ReceiveMode {
  if (mode < CALLS) return length < LARGE ? PROVIDED : mode + 1;
  if (length >= SMALL) return CALLS;
  return mode + 1 === CALLS + RUN ? PROVIDED : mode + 1;
}
