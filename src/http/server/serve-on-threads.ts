import { checkObject } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { isUrl } from '../../sys/memory/views.js';
import { ownUrl } from '../../sys/own-url.js';
import {
  serveOnThreads as runThreads,
  type ServeOptions,
  type ThreadServer,
} from '../../threads/serve-on-threads.js';
import type { HttpOptions } from '../options.js';

/** The options of each thread; the module exports the rest. */
export interface HttpThreadsOptions extends Omit<ServeOptions, 'data'> {
  /** The number of threads; default one per core. */
  threads?: number | undefined;
  /**
   * The address, TLS, and the limits: the cloneable options of `serve`. They take precedence over those that the module
   * exports.
   */
  http?: Omit<HttpOptions, 'onError' | 'accessLog' | 'signal' | 'path' | 'fd' | 'reusePort'> | undefined;
}

const OPTIONS = optionNames<HttpThreadsOptions>({
  threads: true,
  http: true,
  restartDelay: true,
  onStart: true,
  onCrash: true,
  signal: true,
  timeout: true,
});

/**
 * Serves HTTP on several threads. Each loads a module whose default export has `fetch`, as in `serve`, and options
 * beside it, or which exports `fetch` itself. `restart()` of the result replaces the threads by new ones without losing
 * a request.
 * @param moduleUrl a file URL or an absolute path: `new URL('../app.js', import.meta.url)`.
 * @throws (as a rejection) as `serveOnThreads` of uasync/net.
 */
export async function serveHttpOnThreads(
  moduleUrl: string | URL,
  options: HttpThreadsOptions = {},
): Promise<ThreadServer> {
  checkOptions(options, OPTIONS);
  if (typeof moduleUrl !== 'string' && !isUrl(moduleUrl))
    throw argTypeError('moduleUrl', 'of type string or a URL', moduleUrl);
  const { threads, http, ...rest } = options;
  if (http !== undefined) checkObject('options.http', http);
  const data = { module: String(moduleUrl), http: { ...http } };
  const entry = new URL('./http-thread-entry.js', ownUrl(import.meta.url));
  return runThreads(threads, entry, { ...rest, data });
}
