/** What a datagram socket learns of its destinations. */
import type { Block } from '../../loop/blocks.js';
import { Operation } from '../../loop/operation.js';
import type { Destination } from './destination.js';

/** How many destinations a socket remembers. */
const ROUTES_MAX = 4096;
/** How many of the oldest are looked at to find one that can be forgotten. */
const LOOKS = 8;

/**
 * What a socket has learned of its destinations. A `Destination` is shared by all sockets of a thread; what one socket
 * was told says nothing to another, which may be bound or connected differently.
 */
export class Routes {
  readonly #routes = new Map<Destination, Route>();
  /** The one that was used last: most sockets send to one peer for a while. */
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

  /** The oldest that has no batch: a batch that is begun must leave before the next one to the same destination. */
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

  /** Nothing that was learned holds any longer. */
  clear(): void {
    this.#routes.clear();
    this.#last = null;
  }
}

/** What a socket has learned of one destination. */
export class Route {
  readonly destination: Destination;
  /** Datagrams that leave together at the end of this turn. */
  batch: GsoBatch | null = null;
  /** How many those are likely to be. */
  batchSize = 1;
  /** The longest datagram that the kernel has taken; -1 for none. */
  #longest = -1;

  constructor(destination: Destination) {
    this.destination = destination;
  }

  /** The kernel has taken a datagram of `length` bytes: a shorter one will not be refused for what the caller did. */
  validated(length: number): void {
    if (length > this.#longest) this.#longest = length;
  }

  isValid(length: number): boolean {
    return length <= this.#longest;
  }

  /** The kernel has refused one after all. */
  invalidate(): void {
    this.#longest = -1;
  }
}

/** The owner of a batch, which is told its outcome. */
export interface GsoBatchOwner {
  completed(batch: GsoBatch, res: number): void;
}

/** Datagrams of one length to one destination, in a block: the kernel takes them as one and cuts them (GSO). */
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
