import { timeoutError } from '../../ring/errors.js';
import { IdleTimer } from '../socket/idle-timer.js';
import type { Receiver } from './receiver.js';
import type { Sender } from './sender.js';

/** Rejects waiting reads and writes of a connection while no byte has been transferred for `ms` milliseconds. */
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
