import type { Loop } from '../../loop/loop.js';
import { AbortableOperation } from '../../loop/waiting/abort.js';
import { ECANCELED, isCancelled } from '../../sys/abi/errno.js';
import { POLLOUT } from '../../sys/abi/flags.js';
import { awaitWritable, isWritable, WRITABLE } from './block-send.js';

/** Waits until a socket takes more. */
class WritableWait extends AbortableOperation<void> {
  #fd = -1;
  /** Whether it is a poll for a single event, which is cheaper, but may end too early: see `awaitWritable`. */
  #single = true;

  override get syscall(): string {
    return 'poll';
  }

  run(fd: number, signal: AbortSignal): Promise<void> {
    this.#fd = fd;
    this.loop.start(this).pollAdd(fd, POLLOUT);
    const promise = this.promise();
    this.watch(signal);
    return promise;
  }

  complete(res: number, flags: number): void {
    const { loop } = this;
    if (!this.#single) {
      if (!isWritable(this, res, flags)) return;
      if (isCancelled(res) && !this.aborted && !loop.closing) res = 0;
    } else if (res >= 0 && (res & WRITABLE) === 0) {
      if (!this.aborted && !loop.closing) {
        this.#single = false;
        awaitWritable(this, this.#fd);
        return;
      }
      res = ECANCELED;
    }
    this.conclude(res, undefined);
  }
}

/** Resolves when a socket takes more, or when a send would report its error. */
export function untilWritable(loop: Loop, fd: number, signal: AbortSignal): Promise<void> {
  return new WritableWait(loop).run(fd, signal);
}
