/**
 * Chooses how a connection receives. Provided buffers take no memory on an idle connection, and no call for small
 * messages, but received data is copied once more. Large chunks are cheaper with a poll and a separate call, which
 * receives directly into the reader's memory.
 */

/** A chunk of at least this size favours calls: the copy costs more than a poll and a call. */
export const LARGE = 32 * 1024;
/** A smaller one favours provided buffers. */
const SMALL = 16 * 1024;
/** How many chunks in a row must favour the other mode before it changes. */
const RUN = 4;

/** A mode, with the number of chunks in a row that favoured the other one. */
export type ReceiveMode = number;

/** By provided buffers, the initial mode. */
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
