import { throwIfAborted } from '../../loop/waiting/abort.js';
import { listen } from '../../net/listen/listen.js';
import type { Listener } from '../../net/listen/listener.js';
import { argTypeError } from '../../sys/errors/errors.js';
import type { Limits } from '../input/limits.js';
import { checkHttp, type Handler, HTTP_OPTIONS, type HttpOptions, listenOptions } from '../options.js';
import { PlainTransport } from '../transport/plain-transport.js';
import { type TlsSetup, TlsTransport, tlsSetup } from '../transport/tls-transport.js';
import { HttpConnection } from './connection.js';
import { HttpServer } from './http-server.js';
import type { Server } from './server.js';
import { stopOnAbort } from './stopping.js';

/** Options and handler in one object, as a module may export them. */
export interface ServeTarget extends HttpOptions {
  /** Answers requests. */
  fetch: Handler;
}

/**
 * Serves HTTP/1.1: calls `handler` for each request, and sends the response that it returns. Resolves when the server
 * listens.
 * @throws (as a rejection) the errors of `listen`; AbortError if `signal` is aborted before it listens; TypeError and
 * RangeError for wrong options.
 */
export async function serve(handler: Handler | ServeTarget, options?: HttpOptions): Promise<Server> {
  const [fetch, all] = splitTarget(handler, options);
  const limits = checkHttp(fetch, all);
  throwIfAborted(all.signal);
  // Created before there is a listener to close.
  const tls = all.tls === undefined ? undefined : tlsSetup(all.tls);
  const server = serveOn(await listen(listenOptions(all)), fetch, all, limits, tls);
  if (all.signal !== undefined) stopOnAbort(server, all.signal);
  return server;
}

/** Serves the connections of a listener, with checked options. */
export function serveOn(
  listener: Listener,
  fetch: Handler,
  options: HttpOptions,
  limits: Limits,
  tls: TlsSetup | undefined = undefined,
): HttpServer {
  const server = new HttpServer(listener, fetch, options, limits, tls !== undefined);
  void server.accept(connection => {
    const made = new HttpConnection(server, owner =>
      tls === undefined ? new PlainTransport(connection, owner) : new TlsTransport(connection, owner, tls),
    );
    made.transport.start();
    return made;
  });
  return server;
}

/** The handler and the options. */
export function splitTarget(handler: Handler | ServeTarget, options?: HttpOptions): [Handler, HttpOptions] {
  if (typeof handler === 'function') return [handler, options === undefined ? {} : options];
  if (typeof handler !== 'object' || handler === null) {
    throw argTypeError('handler', 'of type function or an object with a fetch function', handler);
  }
  if (typeof handler.fetch !== 'function')
    throw argTypeError('handler.fetch', 'of type function', handler.fetch);
  const { fetch, ...rest } = handler;
  const own = isApplication(handler, rest) ? {} : rest;
  return [(request, info) => handler.fetch(request, info), options === undefined ? own : options];
}

/** Whether an object is the application of a framework: of a class of its own, with properties that are no options. */
function isApplication(handler: object, properties: object): boolean {
  const prototype = Object.getPrototypeOf(handler);
  if (prototype === null || prototype === Object.prototype) return false;
  return Object.keys(properties).some(name => !HTTP_OPTIONS.has(name));
}
