import type { Loop } from '../../loop/loop.js';
import type { Block } from '../../loop/memory/blocks.js';
import { hasMore, isNotification } from '../../loop/operation/completion.js';
import { Operation } from '../../loop/operation/operation.js';
import { MSG_NOSIGNAL, MSG_WAITALL } from '../../sys/abi/sockets.js';

/** A block that several sends may use: it is returned when the last of them is done with it. */
class SharedBlock {
  readonly #block: Block;
  /** Its creator is the first user. */
  #users = 1;

  constructor(block: Block) {
    this.#block = block;
  }

  take(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    if (this.#users === 0) this.#block.pool.release(this.#block);
  }
}

/**
 * A zero-copy send, io_uring_prep_send_zc(3). It completes twice: once the data has been sent off, and once the network
 * no longer needs it. Only then is its block free.
 */
class ZeroCopySend extends Operation {
  readonly block: SharedBlock;
  readonly #onSent: (res: number) => void;

  constructor(loop: Loop, block: SharedBlock, onSent: (res: number) => void) {
    super(loop);
    this.block = block;
    this.#onSent = onSent;
  }

  override get syscall(): string {
    return 'write';
  }

  start(fd: number, address: number, length: number): void {
    this.block.take();
    this.loop.start(this).sendZcAt(fd, address, length, MSG_NOSIGNAL | MSG_WAITALL);
  }

  complete(res: number, flags: number): void {
    if (!isNotification(flags)) this.#onSent(res);
    // The network may take long, which must not keep the process alive.
    if (hasMore(flags)) this.loop.setReferenced(this, false);
    else this.block.release();
  }
}

/** The zero-copy sends of one connection, created on first use. */
export class ZeroCopy {
  /** The minimum size of a zero-copy send, in bytes. */
  from = Number.POSITIVE_INFINITY;
  /** The send without a first completion. */
  send: ZeroCopySend | null = null;
  /** The block that is being sent. */
  #shared: SharedBlock | null = null;

  /** Whether a send is zero-copy. Its block is then shared with the network; sends in place are always copied. */
  takes(block: Block | null, length: number): boolean {
    if (length < this.from || (block === null && this.#shared === null)) return false;
    if (block !== null) this.#shared = new SharedBlock(block);
    return true;
  }

  start(owner: Operation, fd: number, address: number, length: number, onSent: (res: number) => void): void {
    const send = new ZeroCopySend(owner.loop, this.#shared!, res => {
      this.send = null;
      onSent(res);
    });
    send.referenced = owner.referenced;
    send.subject = owner.subject;
    this.send = send;
    send.start(fd, address, length);
  }

  /** All of the block has been taken: it is returned when the network is done with it. */
  release(): void {
    this.#shared?.release();
    this.#shared = null;
  }
}
