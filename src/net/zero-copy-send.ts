import type { Block, BlockPool } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation.js';
import * as abi from '../ring/abi.js';
import { MSG_NOSIGNAL, MSG_WAITALL } from '../ring/sqe/sockets.js';

/** A block that several sends may use: it goes back when the last of them is done with it. */
export class SharedBlock {
  readonly #pool: BlockPool;
  readonly #block: Block;
  /** The one who made it is the first. */
  #users = 1;

  constructor(pool: BlockPool, block: Block) {
    this.#pool = pool;
    this.#block = block;
  }

  take(): void {
    this.#users++;
  }

  release(): void {
    this.#users--;
    if (this.#users === 0) this.#pool.release(this.#block);
  }
}

/**
 * A send of whose bytes the kernel makes no copy, io_uring_prep_send_zc(3). It completes twice: once they
 * are under way, and once the network is done with them. Only then is their block free.
 */
export class ZeroCopySend extends Operation {
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
    if (!(flags & abi.CQE_F_NOTIF)) this.#onSent(res);
    // The network may take its time, which is no reason for the process to stay.
    if (flags & abi.CQE_F_MORE) this.loop.setReferenced(this, false);
    else this.block.release();
  }
}
