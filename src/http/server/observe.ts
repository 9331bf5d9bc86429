/** Reports requests to subscribers of node:diagnostics_channel, and to the access log. */
import { channel } from 'node:diagnostics_channel';
import { callBack } from '../../loop/operation/uncaught.js';
import { now, queueMicrotask } from '../../loop/real-timers.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import type { HttpRequest } from '../message/request.js';
import type { AccessLogEntry } from '../options.js';
import type { RequestInfo } from './request-info.js';

const requests = channel('uasync:http:request');
const answers = channel('uasync:http:response');
const errors = channel('uasync:http:error');
const refusals = channel('uasync:http:refused');

/** A handler is about to be called. */
export function requestBegins(request: HttpRequest, info: RequestInfo): void {
  if (requests.hasSubscribers) requests.publish({ request, info });
}

/** A handler, or its answer, has failed. */
export function requestFailed(request: HttpRequest, error: unknown): void {
  if (errors.hasSubscribers) errors.publish({ request, error });
}

/** A request was answered by the server itself: it was malformed, too large or late. */
export function requestRefused(
  remoteAddress: () => SocketAddress | undefined,
  status: number,
  code: string,
): void {
  if (!refusals.hasSubscribers) return;
  // Subscribers are the user's code, and this runs while the loop reaps.
  queueMicrotask(() => refusals.publish({ remoteAddress: remoteAddress(), status, code }));
}

type AccessLog = ((entry: AccessLogEntry) => void) | undefined;

/** Whether answers are observed. */
export function isObserved(accessLog: AccessLog): boolean {
  return accessLog !== undefined || answers.hasSubscribers;
}

/** An observed answer. */
export class ObservedAnswer {
  readonly #request: HttpRequest;
  readonly #remoteAddress: SocketAddress | undefined;
  readonly #bytes: number;
  readonly #began = now();

  /** @param bytes what the connection had sent before. */
  constructor(request: HttpRequest, remoteAddress: SocketAddress | undefined, bytes: number) {
    this.#request = request;
    this.#remoteAddress = remoteAddress;
    this.#bytes = bytes;
  }

  /** The answer has ended. @param status 0 if it was not sent completely. */
  ended(accessLog: AccessLog, status: number, bytes: number): void {
    const request = this.#request;
    const { method, url, headers } = request;
    const duration = now() - this.#began;
    const entry = {
      method,
      url,
      status,
      bytes: bytes - this.#bytes,
      duration,
      remoteAddress: this.#remoteAddress,
      headers,
    };
    if (answers.hasSubscribers) answers.publish({ request, ...entry });
    if (accessLog !== undefined) callBack(accessLog, entry);
  }
}
