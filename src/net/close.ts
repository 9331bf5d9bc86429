import type { Loop } from '../loop/loop.js';
import { PromiseOperation } from '../loop/operation.js';
import { OperationPool } from '../loop/pool.js';
import * as abi from '../ring/abi.js';
import { systemError } from '../ring/errors.js';

class CloseOperation extends PromiseOperation<void> {
  override get syscall(): string {
    return 'close';
  }

  run(fd: number): Promise<void> {
    this.loop.start(this).prep(abi.OP_CLOSE, fd, 0, 0, 0);
    return this.promise();
  }

  complete(res: number): void {
    if (res < 0) this.reject(systemError(res, 'close'));
    else this.resolve();
    closes.give(this);
  }
}

const closes = new OperationPool(CloseOperation);

/** Closes a descriptor through the ring. Nothing may be in flight on it. */
export function closeFd(loop: Loop, fd: number): Promise<void> {
  return closes.take(loop).run(fd);
}
