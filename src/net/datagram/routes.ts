/** What a datagram socket knows about its destinations. */
import type { Block } from '../../loop/memory/blocks.js';
import { Operation } from '../../loop/operation/operation.js';
import type { Destination } from './destination.js';

/** How many destinations a socket keeps. */
const ROUTES_MAX = 4096;
/** How many of the oldest are checked for one that can be dropped. */
const LOOKS = 8;

/**
 * What a socket knows about its destinations. All sockets of a thread share a `Destination`; the knowledge of one
 * socket does not apply to another, which may be bound or connected differently.
 */
export class Routes {
  readonly #routes = new Map<Destination, Route>();
  /** The last used one: most sockets send to one peer for a while. */
  #last: Route | null = null;

  of(destination: Destination): Route {
    const last = this.#last;
    if (last !== null && last.destination === destination) return last;
    let route = this.#routes.get(destination);
    if (route === undefined) {
      if (this.#routes.size >= ROUTES_MAX) this.#forgetOne();
      route = new Route(destination);
      this.#routes.set(destination, route);
    }
    this.#last = route;
    return route;
  }

  /** Drops the oldest one without a batch: a started batch must be sent before the next one to the same destination. */
  #forgetOne(): void {
    let looks = LOOKS;
    for (const [destination, { batch }] of this.#routes) {
      if (batch === null) {
        this.#routes.delete(destination);
        return;
      }
      if (--looks === 0) return;
    }
  }

  /** All knowledge is obsolete. */
  clear(): void {
    this.#routes.clear();
    this.#last = null;
  }
}

/** What a socket knows about one destination. */
export class Route {
  readonly destination: Destination;
  /** Datagrams that are sent together at the end of this turn. */
  batch: GsoBatch | null = null;
  /** How many these will probably be. */
  batchSize = 1;
  /** The longest datagram that the kernel has taken; -1 for none. */
  #longest = -1;

  constructor(destination: Destination) {
    this.destination = destination;
  }

  /** The kernel has taken a datagram of `length` bytes: it will not refuse a shorter one because of the caller. */
  validated(length: number): void {
    if (length > this.#longest) this.#longest = length;
  }

  isValid(length: number): boolean {
    return length <= this.#longest;
  }

  /** The kernel has refused one nevertheless. */
  invalidate(): void {
    this.#longest = -1;
  }
}

/** The owner of a batch, which gets its result. */
export interface GsoBatchOwner {
  completed(batch: GsoBatch, res: number): void;
}

/** Datagrams of one size to one destination, in a block: the kernel takes them as one send and splits them (GSO). */
export class GsoBatch extends Operation {
  owner: GsoBatchOwner | null = null;
  route: Route | null = null;
  block: Block | null = null;
  segmentSize = 0;
  count = 0;
  capacity = 0;

  override get syscall(): string {
    return 'send';
  }

  get length(): number {
    return this.count * this.segmentSize;
  }

  complete(res: number): void {
    this.owner!.completed(this, res);
  }
}
