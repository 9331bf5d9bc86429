/** Stops servers: pending requests get some time. */

import { clearTimeout, startTimer } from '../../loop/real-timers.js';
import { ignoreAbort, listenForAbort } from '../../loop/waiting/abort-listeners.js';
import { checkDuration } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';

/** Options for stopping a server. */
export interface HttpStopOptions {
  /** Milliseconds after which connections with unanswered requests are cut; default 10,000. */
  timeout?: number | undefined;
}

const STOP_OPTIONS = optionNames<HttpStopOptions>({ timeout: true });
const STOP_TIMEOUT_MS = 10_000;

/**
 * Waits until `stop` is done, which counts the connections that were cut.
 * @param cut called when the timeout has passed.
 */
export async function stopWithin(
  options: HttpStopOptions,
  stop: () => Promise<number>,
  cut: () => void,
): Promise<number> {
  checkOptions(options, STOP_OPTIONS);
  const timeout = checkDuration('options.timeout', options.timeout ?? STOP_TIMEOUT_MS);
  const stopped = stop();
  const timer = startTimer(cut, timeout);
  try {
    return await stopped;
  } finally {
    clearTimeout(timer);
  }
}

const NOTHING = (): void => {};

/** Something that can be stopped. */
interface Stoppable {
  readonly closed: Promise<void>;
  stop(): Promise<number>;
}

/** Stops a server when `signal` is aborted. */
export function stopOnAbort(server: Stoppable, signal: AbortSignal): void {
  const listener = { onAbort: () => void server.stop().catch(NOTHING) };
  if (signal.aborted) {
    listener.onAbort();
    return;
  }
  listenForAbort(signal, listener);
  server.closed.then(() => ignoreAbort(signal, listener), NOTHING);
}
