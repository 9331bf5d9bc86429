import { readSockaddr, SOCKADDR_MAX, type SocketAddress } from './sockaddr.js';

/**
 * Memory for a socket address of any family, and its length, that the kernel writes. An operation fills it in by the
 * time it completes, so use it for one operation at a time.
 */
export class AddressBuffer {
  /** @internal struct sockaddr */
  readonly sockaddr = Buffer.alloc(SOCKADDR_MAX);
  /** @internal socklen_t: the capacity, then the length of the address. */
  readonly length = new Uint32Array([SOCKADDR_MAX]);

  /** The address that the kernel has written; null if there is none yet, or for families other than IP and Unix. */
  get address(): SocketAddress | null {
    return readSockaddr(this.sockaddr, 0, Math.min(this.length[0]!, SOCKADDR_MAX));
  }

  /** @internal Prepares it for the next operation. */
  reset(): void {
    this.sockaddr.fill(0);
    this.length[0] = SOCKADDR_MAX;
  }
}
