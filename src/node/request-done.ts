import { AsyncResource } from 'node:async_hooks';
import type { Delivery } from '../loop/deliveries.js';
import type { Loop } from '../loop/loop.js';
import type { Request } from './natives.js';

/** A request of Node's that is under way: its `oncomplete` runs in the async context of the call that began it. */
export class RequestDone implements Delivery {
  readonly #loop: Loop;
  readonly #request: Request;
  readonly #scope: AsyncResource;
  readonly #rest: unknown[];
  #status = 0;

  /** @param rest what `oncomplete` gets after the status. */
  constructor(loop: Loop, type: string, request: Request, rest: unknown[]) {
    this.#loop = loop;
    this.#request = request;
    this.#scope = new AsyncResource(type);
    this.#rest = rest;
  }

  /** It is over. @param status 0 or a negative errno. */
  settle(status: number): void {
    this.#status = status;
    this.#loop.deliver(this);
  }

  deliver(): void {
    const request = this.#request;
    // Node takes it back from a request that it gives up.
    if (typeof request.oncomplete !== 'function') return;
    this.#scope.runInAsyncScope(request.oncomplete, request, this.#status, ...this.#rest);
  }
}
