import { readSockaddr, SOCKADDR_MAX, type SocketAddress } from './sockaddr.js';

/**
 * Room for a socket address that the kernel writes, of any family, and its length. An operation that is given
 * one fills it in by its completion, so it is used for one at a time.
 */
export class AddressBuffer {
  /** @internal struct sockaddr */
  readonly sockaddr = Buffer.alloc(SOCKADDR_MAX);
  /** @internal socklen_t: the room there is, then the length of the address. */
  readonly length = new Uint32Array([SOCKADDR_MAX]);

  /** The address that was written; null if there is none yet, or for families other than IP and Unix. */
  get address(): SocketAddress | null {
    return readSockaddr(this.sockaddr, 0, Math.min(this.length[0]!, SOCKADDR_MAX));
  }

  /** @internal For the next operation. */
  reset(): void {
    this.sockaddr.fill(0);
    this.length[0] = SOCKADDR_MAX;
  }
}
