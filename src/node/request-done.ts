import { AsyncResource } from 'node:async_hooks';
import type { Loop } from '../loop/loop.js';
import type { Delivery } from '../loop/operation/deliveries.js';
import type { Request } from './natives.js';

/** A pending request of Node's: its `oncomplete` runs in the async context of the call that started it. */
export class RequestDone implements Delivery {
  readonly #loop: Loop;
  readonly #request: Request;
  readonly #scope: AsyncResource;
  readonly #rest: unknown[];
  #status = 0;

  /** @param rest the arguments of `oncomplete` after the status. */
  constructor(loop: Loop, type: string, request: Request, rest: unknown[]) {
    this.#loop = loop;
    this.#request = request;
    this.#scope = new AsyncResource(type);
    this.#rest = rest;
  }

  /** The request has completed. @param status 0 or a negative errno. */
  settle(status: number): void {
    this.#status = status;
    this.#loop.deliver(this);
  }

  deliver(): void {
    const request = this.#request;
    // Node removes it from a request that it abandons.
    if (typeof request.oncomplete !== 'function') return;
    this.#scope.runInAsyncScope(request.oncomplete, request, this.#status, ...this.#rest);
  }
}
