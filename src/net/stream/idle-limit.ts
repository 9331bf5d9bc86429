import { timeoutError } from '../../sys/errors/errors.js';
import { IdleTimer } from '../socket/idle-timer.js';
import type { Receiver } from './receiver.js';
import type { Sender } from './sender.js';

/** A connection, as far as its idle limit knows it. */
interface Watched {
  readonly receiver: Receiver;
  readonly sender: Sender;
  /** The count of bytes transferred so far, in both directions. */
  readonly moved: number;
}

/** Rejects waiting reads and writes of a connection while no byte has been transferred for `ms` milliseconds. */
export function idleTimerOf(endpoint: Watched, ms: number): IdleTimer {
  const { receiver, sender } = endpoint;
  return new IdleTimer(
    ms,
    () => endpoint.moved,
    () => receiver.waitedFor || !sender.drained || sender.piped,
    () => {
      receiver.timeOut();
      if (!sender.drained) sender.abort(timeoutError('write'));
      else sender.endPipes(timeoutError('write'));
    },
  );
}
