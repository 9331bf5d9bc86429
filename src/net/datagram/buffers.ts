/** The provided buffers that datagrams are received into. */

import type { Loop } from '../../loop/loop.js';
import type { ProvidedBuffers } from '../../loop/memory/provided-buffers.js';
import { bufferOf } from '../../loop/operation/completion.js';
import { perLoop } from '../../loop/per-loop.js';
import { RECVMSG_OUT } from '../../ring/abi/structs.js';
import { assert } from '../../sys/errors/assert.js';
import { SOCKADDR_MAX } from '../../sys/socket/sockaddr.js';
import { CONTROL_MAX } from './ancillary.js';

/** The largest datagram that is received whole: UDP's length field has 16 bits, and GRO respects that limit. */
export const DATAGRAM_MAX = 65535;
/** How many datagrams can arrive between two turns before the receive must be rearmed. */
const ENTRIES = 256;
const LINE = 64;

/**
 * A buffer has space for the kernel's headers and the largest datagram. The kernel only touches the bytes that it
 * fills, so a small datagram costs one page. An odd number of cache lines spreads the starts of the buffers over the
 * cache.
 */
const LINES = Math.ceil((RECVMSG_OUT.size + SOCKADDR_MAX + CONTROL_MAX + DATAGRAM_MAX) / LINE) | 1;

/**
 * The buffers that a loop's datagram sockets receive into. As for connections, a few serve all sockets, because
 * datagrams are copied out at once. They are not filled incrementally, since a multishot recvmsg needs space for a
 * header in each.
 */
export class DatagramBuffers {
  readonly group: number;
  readonly size = LINES * LINE;
  readonly bytes: Buffer;
  /** The same memory in 32-bit words, for the headers. */
  readonly words: Int32Array;
  readonly #ring: ProvidedBuffers;

  private constructor(loop: Loop) {
    this.#ring = loop.provideBuffers({ entries: ENTRIES, bufferSize: this.size })!;
    this.group = this.#ring.group;
    this.bytes = this.#ring.bytes;
    this.words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length >> 2);
    loop.onClose(() => this.#ring.close());
  }

  /** The loop's buffers, made on first use. */
  static readonly of = perLoop(loop => new DatagramBuffers(loop));

  /** The offset in `bytes` of a completion's buffer. */
  startOf(flags: number): number {
    const id = bufferOf(flags);
    assert(id < ENTRIES, 'A completion names a buffer that does not exist');
    return id * this.size;
  }

  /** Its contents have been copied: returns it to the kernel. */
  giveBack(flags: number): void {
    this.#ring.recycle(bufferOf(flags));
    this.#ring.publish();
  }
}
