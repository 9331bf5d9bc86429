import * as abi from '../../ring/abi/io-uring.js';
import type { Ring } from '../../ring/ring.js';
import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import type { Watch } from '../../sys/libc/watcher.js';
import type { WakeUp } from './backend.js';

/**
 * Wakes the ring's thread, which sleeps in libuv's epoll.
 *
 * With SETUP_DEFER_TASKRUN (6.1) the kernel's work for the ring waits for a system call of ours, and an eventfd wakes
 * the thread. Without it that work interrupts the sleep, and libuv, which then sleeps again, counts the time as active:
 * `performance.eventLoopUtilization()` would be 1. In that case the ring's own descriptor wakes the thread.
 *
 * The eventfd is never read: it is edge-triggered, so libuv sees each count once.
 *
 * An operation that itself waits for an eventfd completes within that eventfd's signal, and the kernel then defers the
 * ring's own signal. It does so once: as measured on 6.18, all later signals are lost. Registering the eventfd again
 * lets it signal again.
 */
export class RingWakeUp implements WakeUp {
  readonly #ring: Ring;
  readonly #eventfd: number;
  readonly #watch: Watch;
  #edges: boolean;
  #asleep = false;

  constructor(ring: Ring) {
    this.#ring = ring;
    const deferred = (ring.flags & abi.SETUP_DEFER_TASKRUN) !== 0;
    this.#eventfd = deferred ? openEventfd() : -1;
    this.#edges = !deferred;
    try {
      if (deferred) {
        ring.registerEventfd(this.#eventfd);
        ring.cqEventfdToggle(false);
      }
      this.#watch = libc().watchReadable(deferred ? this.#eventfd : ring.fd);
      this.#watch.unref();
    } catch (error) {
      this.#closeEventfd();
      throw error;
    }
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#watch.ref();
    else this.#watch.unref();
  }

  arm(nested: boolean): boolean {
    if (this.#eventfd < 0) return true;
    this.#asleep = true;
    if (nested && !this.#registerAnew()) return false;
    this.#ring.cqEventfdToggle(true);
    // Only the first pending work signals, so it must not have come before.
    return !this.#ring.taskWorkPending && this.#ring.cqReady === 0;
  }

  #registerAnew(): boolean {
    try {
      this.#ring.unregisterEventfd();
      this.#ring.registerEventfd(this.#eventfd);
      return true;
    } catch {
      // Out of memory, perhaps with none registered now: the next attempt starts from the state that this one should
      // have left.
      try {
        this.#ring.registerEventfd(this.#eventfd);
      } catch {}
      return false;
    }
  }

  disarm(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
    this.#ring.cqEventfdToggle(false);
  }

  settle(): boolean {
    if (!this.#edges) this.#edges = this.#watch.edgeTriggered();
    return this.#edges;
  }

  /** Nothing wakes the thread from now on. The caller closes the ring. */
  close(): void {
    this.#watch.close();
    this.#closeEventfd();
  }

  #closeEventfd(): void {
    if (this.#eventfd < 0) return;
    libc().close(this.#eventfd);
  }
}

function openEventfd(): number {
  const fd = libc().eventfd();
  if (fd < 0) throw systemError(fd, 'eventfd');
  return fd;
}
