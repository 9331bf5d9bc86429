/** What each thread of `serveHttpOnThreads` runs. */
import type { ThreadContext } from '../threads/thread-context.js';
import { checkHttp, type HttpOptions } from './options.js';
import { serveOn, splitTarget } from './serve.js';

/** What the threads are told. */
export interface HttpThreadData {
  module: string;
  http: HttpOptions;
}

/** Serves what a module exports, until the thread is to end. */
export default async function run(context: ThreadContext<HttpThreadData>): Promise<void> {
  const { module, http } = context.data;
  const loaded = await import(module);
  const [fetch, exported] = splitTarget(loaded.default ?? { fetch: loaded.fetch });
  const options = { ...exported, ...http };
  const limits = checkHttp(fetch, options);
  const { port = 0, host, address, family, backlog, ipv6Only, noDelay, maxConnections, fastOpen } = options;
  const listener = await context.listen({
    port,
    host,
    address,
    family,
    backlog,
    ipv6Only,
    noDelay,
    maxConnections,
    fastOpen,
  });
  const server = serveOn(listener, fetch, options, limits);
  // Accepting ends by itself: what was accepted is served.
  if (context.signal.aborted) server.retire();
  else context.signal.addEventListener('abort', () => server.retire());
}
