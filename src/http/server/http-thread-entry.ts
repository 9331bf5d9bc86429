/** The entry point of each thread of `serveHttpOnThreads`. */

import { argValueError } from '../../sys/errors/errors.js';
import type { ThreadContext } from '../../threads/thread-context.js';
import { checkHttp, type HttpOptions, listenOptions } from '../options.js';
import { tlsSetup } from '../transport/tls-transport.js';
import { serveOn, splitTarget } from './serve.js';

/** The data of the threads. */
interface HttpThreadData {
  module: string;
  http: HttpOptions;
}

/** Options without effect: the threads share a listener, and `serveHttpOnThreads` has a signal of its own. */
const REFUSED = ['signal', 'path', 'fd', 'reusePort'] as const;

/** Serves what a module exports, until the thread should end. */
export default async function run(context: ThreadContext<HttpThreadData>): Promise<void> {
  const { module, http } = context.data;
  const loaded = await import(module);
  const [fetch, exported] = splitTarget(loaded.default ?? { fetch: loaded.fetch });
  const options = { ...exported, ...http };
  const limits = checkHttp(fetch, options);
  for (const name of REFUSED) {
    if (options[name] !== undefined)
      throw argValueError(`options.${name}`, 'is not available on threads', options[name]);
  }
  // Created before there is a listener to close.
  const tls = options.tls === undefined ? undefined : tlsSetup(options.tls);
  const listener = await context.listen(listenOptions(options));
  const server = serveOn(listener, fetch, options, limits, tls);
  // Accepting ends by itself: accepted connections are served.
  if (context.signal.aborted) server.retire();
  else context.signal.addEventListener('abort', () => server.retire());
}
