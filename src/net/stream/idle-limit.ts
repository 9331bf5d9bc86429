import { timeoutError } from '../../ring/errors.js';
import { IdleTimer } from '../socket/idle-timer.js';
import type { Receiver } from './receiver.js';
import type { Sender } from './sender.js';

/** Rejects the reads and writes of a connection that wait while no byte moves for `ms` milliseconds. */
export function idleTimerOf(receiver: Receiver, sender: Sender, ms: number): IdleTimer {
  return new IdleTimer(
    ms,
    () => receiver.bytesRead + sender.bytesWritten,
    () => receiver.waitedFor || !sender.drained || sender.piped,
    () => {
      receiver.timeOut();
      if (!sender.drained) sender.abort(timeoutError('write'));
      else sender.endPipes(timeoutError('write'));
    },
  );
}
