/** Opening a path through the ring. */
import type { Loop } from '../../loop/loop.js';
import { OperationPool } from '../../loop/operation/pool.js';
import { traced } from '../../loop/operation/traced.js';
import { EAGAIN, ECANCELED } from '../../sys/abi/errno.js';
import { isMainThread } from '../../sys/main-thread.js';
import { allowWaiting } from '../io-wq.js';
import { FileOperation } from '../operations.js';
import { DirectFile, type DirectWaiter, giveDirect, hasDirect, takeDirect } from './direct-files.js';

type Path = string | Uint8Array;

class OpenOperation extends FileOperation<number> {
  #flags = 0;
  #mode = 0;

  override get syscall(): string {
    return 'open';
  }

  run(path: Path, flags: number, mode: number): Promise<number> {
    this.path = path;
    this.#flags = flags;
    this.#mode = mode;
    this.#start();
    return this.promise();
  }

  #start(): void {
    // A non-blocking attempt would open it with O_NONBLOCK, and a FIFO must wait for its other end.
    this.loop.start(this).openPath(this.path!, this.#flags, this.#mode).async();
  }

  complete(res: number): void {
    if (this.isAgain(res)) {
      this.#start();
      return;
    }
    this.conclude(res, res);
    opens.give(this);
  }
}

/**
 * For workers. The kernel opens asynchronously, and the descriptor exists before JavaScript receives it: it would stay
 * open if the worker were terminated in between. So the kernel opens a registered file, which ends with the ring, and a
 * descriptor is installed for it afterwards.
 */
class WorkerOpenOperation extends FileOperation<number> implements DirectWaiter {
  #flags = 0;
  #mode = 0;
  #index = -1;

  override get syscall(): string {
    return 'open';
  }

  run(path: Path, flags: number, mode: number): Promise<number> {
    this.path = path;
    this.#flags = flags;
    this.#mode = mode;
    const promise = this.promise();
    takeDirect(this.loop, this);
    return promise;
  }

  placeGiven(index: number): void {
    this.#index = index;
    try {
      this.#start();
    } catch (error) {
      giveDirect(this.loop, index);
      this.reject(error);
    }
  }

  #start(): void {
    this.loop.start(this).openPathDirect(this.path!, this.#flags, this.#mode, this.#index).async();
  }

  complete(res: number): void {
    if (res >= 0 && !this.loop.closing) {
      this.#install();
      return;
    }
    if (this.isAgain(res)) {
      this.#start();
      return;
    }
    // An open one is closed with the ring.
    if (res < 0) giveDirect(this.loop, this.#index);
    this.conclude(res < 0 ? res : ECANCELED, res);
  }

  readonly #install = (): void => {
    if (this.loop.closing) {
      this.conclude(ECANCELED, ECANCELED);
      return;
    }
    const fd = this.loop.installFile(this.#index);
    if (fd === EAGAIN) {
      this.loop.soon(this.#install);
      return;
    }
    // The descriptor keeps the file open. This fails only if the loop is closing.
    new DirectFile(this.loop, this.#index).close().catch(() => {});
    this.conclude(fd, fd);
  };
}

const opens = new OperationPool(OpenOperation);

/** Opens a path, relative to the current directory; resolves to the descriptor. open(2) */
export async function openPath(loop: Loop, path: Path, flags: number, mode: number): Promise<number> {
  allowWaiting(loop);
  try {
    if (!isMainThread && loop.installsFiles && hasDirect(loop)) {
      return await new WorkerOpenOperation(loop).run(path, flags, mode);
    }
    return await opens.take(loop).run(path, flags, mode);
  } catch (error) {
    throw traced(error);
  }
}
