import { throwIfAborted } from '../loop/abort.js';
import { listen } from '../net/listen/listen.js';
import { argTypeError } from '../ring/errors.js';
import { HttpConnection } from './connection.js';
import { checkHttp, type Handler, type HttpOptions, listenOptions } from './options.js';
import { PlainTransport } from './plain-transport.js';
import { Server } from './server.js';

/** Options and handler in one, as a module may export them. */
export interface ServeTarget extends HttpOptions {
  /** Answers requests. */
  fetch: Handler;
}

/**
 * Serves HTTP/1.1: calls `handler` for each request, and sends what it returns. Resolves when the server listens.
 * @throws (as a rejection) what `listen` throws; AbortError if `signal` is aborted before it listens; TypeError and RangeError for
 * wrong options.
 */
export async function serve(handler: Handler | ServeTarget, options?: HttpOptions): Promise<Server> {
  const [fetch, all] = split(handler, options);
  const limits = checkHttp(fetch, all);
  throwIfAborted(all.signal);
  const listener = await listen(listenOptions(all));
  const server = new Server(listener, fetch, all, limits, false);
  if (all.signal !== undefined) server.stopOn(all.signal);
  void server.accept(connection => {
    const made = new HttpConnection(server, owner => new PlainTransport(connection, owner));
    made.transport.start();
    return made;
  });
  return server;
}

function split(handler: Handler | ServeTarget, options: HttpOptions | undefined): [Handler, HttpOptions] {
  if (typeof handler === 'function') return [handler, options === undefined ? {} : options];
  if (typeof handler !== 'object' || handler === null) {
    throw argTypeError('handler', 'of type function or an object with a fetch function', handler);
  }
  if (typeof handler.fetch !== 'function')
    throw argTypeError('handler.fetch', 'of type function', handler.fetch);
  const { fetch, ...rest } = handler;
  // A framework's application has more than options: those stand beside it.
  const own = options === undefined ? rest : options;
  return [(request, info) => handler.fetch(request, info), own];
}
