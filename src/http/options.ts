import { LISTEN_NAMES, type ListenOptions, pickListenOptions } from '../net/listen/options.js';
import { checkDuration, checkFunction, checkInt, checkSignal } from '../sys/check/check.js';
import { checkOptions, type OptionNames, optionNames } from '../sys/check/options.js';
import type { Limits } from './input/limits.js';
import type { HttpResponse } from './message/response.js';
import type { RequestInfo } from './server/request-info.js';
import { type HttpTlsOptions, TLS_OPTIONS } from './transport/tls-transport.js';

/** The return values of a handler. */
export type Answer = Response | HttpResponse;

/** Answers a request. */
export type Handler = (request: Request, info: RequestInfo) => Answer | Promise<Answer>;

/** The report about an answered request. */
export interface AccessLogEntry {
  /** The method of the request. */
  readonly method: string;
  /** The URL of the request. */
  readonly url: string;
  /** The sent status; 0 if the peer had disconnected, or the connection was cut. */
  readonly status: number;
  /** The size of the answer in bytes, including its head. */
  readonly bytes: number;
  /** Milliseconds from the end of the head of the request to the end of its answer. */
  readonly duration: number;
  /** The peer's address. */
  readonly remoteAddress: RequestInfo['remoteAddress'];
  /** The headers of the request. */
  readonly headers: Headers;
}

/** The address, and the limits for peers. Times are in milliseconds, 0 is no limit. */
export interface HttpOptions extends Omit<ListenOptions, 'receiveFds' | 'signal'> {
  /** Aborting it stops the server, as `stop()` does. */
  signal?: AbortSignal | undefined;
  /** Called when a handler has failed: its response is sent. By default the error is printed, and the peer gets 500. */
  onError?:
    | ((error: unknown, request: Request) => Answer | undefined | Promise<Answer | undefined>)
    | undefined;
  /** TLS: serves HTTPS with these options of `tls.createServer`, by `node:tls`. */
  tls?: HttpTlsOptions | undefined;
  /** Called for each answered request. */
  accessLog?: ((entry: AccessLogEntry) => void) | undefined;
  /** The time limit for the head of a request, counted from its first byte or from the connection. Default 60,000. */
  headersTimeout?: number | undefined;
  /** The time limit for a request with its body. Default 300,000. */
  requestTimeout?: number | undefined;
  /** How long a connection is kept for the next request. Default 5,000. */
  keepAliveTimeout?: number | undefined;
  /**
   * The time without a byte after which a peer is cut that should send a body or take an answer, or has ended its side.
   * Default 60,000.
   */
  idleTimeout?: number | undefined;
  /** The maximum size of a request's head in bytes; default 16,384. */
  maxHeaderSize?: number | undefined;
  /** The maximum number of headers of a request; default 100. */
  maxHeaders?: number | undefined;
  /** The maximum size of a request's body in bytes; default 16 MiB. Infinity is no limit. */
  maxBodySize?: number | undefined;
  /** The maximum number of requests per connection; default no limit. */
  maxRequestsPerConnection?: number | undefined;
}

const { receiveFds: _, ...OF_LISTEN } = LISTEN_NAMES;

/** The names of the options of `serve`. */
export const HTTP_OPTIONS: OptionNames = optionNames<HttpOptions>({
  ...OF_LISTEN,
  onError: true,
  accessLog: true,
  tls: true,
  headersTimeout: true,
  requestTimeout: true,
  keepAliveTimeout: true,
  idleTimeout: true,
  maxHeaderSize: true,
  maxHeaders: true,
  maxBodySize: true,
  maxRequestsPerConnection: true,
});

const HEADER_SIZE_MAX = 1024 * 1024;

/** Checks the options of HTTP; `listen` checks the rest. */
export function checkHttp(handler: unknown, options: HttpOptions): Limits {
  checkFunction('handler', handler);
  checkOptions(options, HTTP_OPTIONS);
  const { onError, accessLog, signal } = options;
  if (onError !== undefined) checkFunction('options.onError', onError);
  if (accessLog !== undefined) checkFunction('options.accessLog', accessLog);
  checkSignal(signal);
  if (options.tls !== undefined) checkOptions(options.tls, TLS_OPTIONS, 'options.tls');
  const limits = {
    headersTimeout: duration('headersTimeout', options.headersTimeout, 60_000),
    requestTimeout: duration('requestTimeout', options.requestTimeout, 300_000),
    keepAliveTimeout: duration('keepAliveTimeout', options.keepAliveTimeout, 5000),
    idleTimeout: duration('idleTimeout', options.idleTimeout, 60_000),
    maxHeaderSize: count('maxHeaderSize', options.maxHeaderSize, 16_384, HEADER_SIZE_MAX),
    maxHeaders: count('maxHeaders', options.maxHeaders, 100, 65_535),
    maxBodySize: bodySize(options.maxBodySize),
    maxRequestsPerConnection: count(
      'maxRequestsPerConnection',
      options.maxRequestsPerConnection,
      Number.POSITIVE_INFINITY,
      Number.MAX_SAFE_INTEGER,
    ),
  };
  return limits;
}

function duration(name: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  return checkDuration(`options.${name}`, value);
}

function count(name: string, value: number | undefined, otherwise: number, max: number): number {
  if (value === undefined) return otherwise;
  return checkInt(`options.${name}`, value, 1, max);
}

function bodySize(value: number | undefined): number {
  if (value === undefined) return 16 * 1024 * 1024;
  if (value === Number.POSITIVE_INFINITY) return value;
  return checkInt('options.maxBodySize', value, 0, Number.MAX_SAFE_INTEGER);
}

/** The options that `listen` takes. */
export function listenOptions(options: HttpOptions): ListenOptions {
  const given = pickListenOptions(options);
  const isPlaced = given.port !== undefined || given.path !== undefined || given.fd !== undefined;
  return isPlaced ? given : { ...given, port: 0 };
}
