/** `Listener`: accepts connections and hands them out. */
import type { InspectOptionsStylized } from 'node:util';
import type { Loop } from '../../loop/loop.js';
import { checkWait, type WaitOptions } from '../../loop/waiting/waiter.js';
import { counted, custom, shown } from '../../sys/inspect.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { givenPath, localAddress, placeOf } from '../address/addresses.js';
import { closeWhenForgotten, type Remains } from '../socket/forgotten.js';
import type { Connection } from '../stream/connection.js';
import { ReceiveBuffers } from '../stream/receive-buffers.js';
import { Acceptor, type ListenerSetup } from './acceptor.js';

/** A socket that accepts connections, TCP or Unix. Iterating over it yields them. */
export class Listener<Address extends SocketAddress = SocketAddress>
  implements AsyncIterable<Connection<Address>>
{
  /** The address that it listens on, with the port that the system chose for port 0. */
  readonly address: Address;
  readonly #acceptor: Acceptor;

  /** @internal Takes ownership of a listening socket; use `listen`. */
  constructor(loop: Loop, fd: number, setup: ListenerSetup) {
    this.address = (givenPath(setup.path) ?? localAddress(fd)) as Address;
    // Created here, where a failure can be reported.
    ReceiveBuffers.of(loop);
    this.#acceptor = new Acceptor(loop, fd, this.address, setup);
    this.#acceptor.arm();
    closeWhenForgotten(this, this.#acceptor);
  }

  /** @internal The listening socket without its public object: a reference to it does not keep this object alive. */
  get remains(): Remains & { onClosed: (() => void) | null } {
    return this.#acceptor;
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.#acceptor.state, placeOf(this.address), [
      counted(this.#acceptor.open, 'connection open', 'connections open'),
      counted(this.#acceptor.waiting.accepted, 'connection to hand out', 'connections to hand out'),
      counted(this.#acceptor.waiting.calls, 'accept waiting', 'accepts waiting'),
      !this.#acceptor.referenced && 'unref',
    ]);
  }

  /** The socket's descriptor, -1 once closed. */
  get fd(): number {
    return this.#acceptor.fd;
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#acceptor.closed;
  }

  /**
   * The next connection. Concurrent calls are served in order.
   * @throws (as a rejection) ERR_CLOSED, AbortError, ETIMEDOUT, errors of accept(2).
   */
  async accept(options?: WaitOptions): Promise<Connection<Address>> {
    checkWait(options);
    return (await this.#acceptor.accept(options)) as Connection<Address>;
  }

  /** Yields connections until the listener is closed; leaving the loop closes it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection<Address>, void, undefined> {
    try {
      for (;;) yield (await this.#acceptor.accept(undefined)) as Connection<Address>;
    } catch (error) {
      if (!this.closed) throw error;
    } finally {
      await this.close();
    }
  }

  /** Keeps the process alive, which is the default. */
  ref(): this {
    this.#acceptor.setReferenced(true);
    return this;
  }

  /** No longer keeps the process alive. */
  unref(): this {
    this.#acceptor.setReferenced(false);
    return this;
  }

  /**
   * Stops listening: waiting calls of `accept` reject with ERR_CLOSED, and connections that were not handed out are
   * closed. Those handed out stay open. A second call waits for the first.
   */
  close(): Promise<void> {
    return this.#acceptor.close();
  }

  /**
   * @internal Stops listening, but still hands out accepted connections, unless it is closed meanwhile. Resolves when
   * it no longer listens.
   */
  retire(): Promise<void> {
    return this.#acceptor.retire();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
