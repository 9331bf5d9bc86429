import type { Loop } from '../../loop/loop.js';
import { Operation } from '../../loop/operation/operation.js';
import type { RequestDone } from '../request-done.js';
import type { StreamHandle } from './stream-handle.js';

/** A connection attempt of a handle. */
export class ConnectOperation extends Operation {
  readonly #done: RequestDone;
  onEnded: (() => void) | null = null;

  constructor(loop: Loop, handle: StreamHandle, done: RequestDone) {
    super(loop);
    this.subject = handle;
    this.referenced = handle.referenced;
    this.#done = done;
  }

  override get syscall(): string {
    return 'connect';
  }

  /** @param name a socket address in bytes. */
  run(fd: number, name: Uint8Array): void {
    this.loop.start(this).connectTo(fd, name);
  }

  complete(res: number): void {
    this.#done.settle(res);
    this.onEnded?.();
  }
}
