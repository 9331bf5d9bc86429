/** The states of the sending side of a connection, and the allowed transitions. */
import { assert } from '../../sys/errors/assert.js';

/** Nothing is in flight, and no write waits. */
export const IDLE = 1;
/** A send is in flight, from a block or in place. */
export const SENDING = 2;
/**
 * A send from a block is in flight. Memory is short: the block is returned even if the peer does not take all of it.
 */
export const YIELDING = 4;
/** A zero-copy send is in flight. */
export const ZERO_COPY = 8;
/** A poll is in flight, until the peer takes more. The writes hold no block. */
export const POLLING = 16;
/** The writes wait for a block. */
export const WAITING = 32;
/** `hold` has lent the socket: this sender sends nothing. */
export const HELD = 64;
/** The writes of a burst are gathered: they leave together when it is over. */
export const GATHERING = 128;

export type SenderState =
  | typeof IDLE
  | typeof SENDING
  | typeof YIELDING
  | typeof ZERO_COPY
  | typeof POLLING
  | typeof WAITING
  | typeof HELD
  | typeof GATHERING;

/** The states with an operation in the kernel. */
export const IN_FLIGHT = SENDING | YIELDING | ZERO_COPY | POLLING;

const MAY_FOLLOW: Record<SenderState, number> = {
  [IDLE]: IDLE | IN_FLIGHT | WAITING | HELD | GATHERING,
  // Also for the rest of a short send.
  [SENDING]: IDLE | SENDING | ZERO_COPY,
  [YIELDING]: IDLE | SENDING | ZERO_COPY,
  [ZERO_COPY]: IDLE | SENDING | ZERO_COPY,
  [POLLING]: YIELDING,
  [WAITING]: IDLE,
  [HELD]: IDLE,
  [GATHERING]: IDLE,
};

/**
 * Returns `to`, if it may follow `from`: starting a send twice would lose track of the memory that the kernel reads.
 */
export function followed(from: SenderState, to: SenderState): SenderState {
  if ((MAY_FOLLOW[to] & from) === 0) assert(false, `A sender went from state ${from} to ${to}`);
  return to;
}
