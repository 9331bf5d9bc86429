import type { Sqe } from '../ring/sqe/index.js';
import { EAGAIN, EINVAL, EMFILE } from '../sys/abi/errno.js';
import { systemError } from '../sys/errors/errors.js';
import { libc } from '../sys/libc/libc.js';
import type { Watch } from '../sys/libc/watcher.js';
import type { Mapping } from '../sys/memory/mapping.js';
import { limitOf } from '../sys/proc.js';
import { Faults } from './faults/faults.js';
import { Group, type GroupOptions } from './groups.js';
import { OPS } from './handlers.js';
import { beforeClose } from './operations/control.js';
import { SoftRing } from './soft-ring.js';

/** Wakes the thread from libuv's sleep when a descriptor has become ready: libuv watches the epoll instance. */
class SoftWakeUp {
  readonly #ring: SoftRing;
  readonly #watch: Watch;
  #edges = false;
  #asleep = false;

  constructor(ring: SoftRing) {
    this.#ring = ring;
    this.#watch = libc().watchReadable(ring.readiness.fd);
    this.#watch.unref();
  }

  setReferenced(referenced: boolean): void {
    if (referenced) this.#watch.ref();
    else this.#watch.unref();
  }

  /**
   * A descriptor that has become ready since the last look has been reported to libuv's epoll: libuv is or was woken,
   * and a turn follows.
   */
  arm(_nested: boolean): boolean {
    this.#asleep = true;
    return !this.#ring.cqHasOverflow && this.#ring.cqReady === 0;
  }

  disarm(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
  }

  settle(): boolean {
    if (!this.#edges) this.#edges = this.#watch.edgeTriggered();
    return this.#edges;
  }

  close(): void {
    this.#watch.close();
  }
}

/** Registered memory has no benefit here. */
const NO_TABLE = {
  add(_memory: Mapping): number {
    return -1;
  },
};

/** Executes entries in this thread, by non-blocking system calls, where io_uring is not used. */
export class SoftBackend {
  readonly kind = 'epoll';
  readonly queues: SoftRing;
  readonly wakeUp: SoftWakeUp;
  readonly fixedBuffers = NO_TABLE;
  readonly ops = OPS;
  readonly installsFiles = false;
  readonly sendsToAddress = true;
  readonly completesAtOnce = true;

  readonly #faults = Faults.asked();

  constructor(entries: number, cqEntries: number) {
    this.queues = new SoftRing(entries, cqEntries, this.#faults);
    try {
      this.wakeUp = new SoftWakeUp(this.queues);
    } catch (error) {
      this.queues.close();
      throw error;
    }
  }

  /** An entry has no benefit; injected faults apply to entries. */
  closeSocket(fd: number): number {
    if (this.#faults !== null) return EAGAIN;
    const { queues } = this;
    const { size } = queues.waiting;
    beforeClose(queues, fd);
    if (queues.waiting.size !== size) {
      queues.follow();
      queues.timeouts.wake();
    }
    return libc().close(fd);
  }

  installFile(_index: number, _low: number, _high: number): number {
    return EINVAL;
  }

  /** They are descriptors, which users need too: fails with EMFILE if they would be more than a quarter of all. */
  registerFiles(count: number): void {
    const limit = limitOf('Max open files')?.soft ?? Number.POSITIVE_INFINITY;
    if (count > limit / 4) throw systemError(EMFILE, 'open');
    this.queues.registered = new Int32Array(count).fill(-1);
  }

  /** Entries in the pool cannot complete before this thread returns to Node's event loop. */
  get elsewhere(): number {
    return this.queues.handed;
  }

  whenBack(callback: () => void): void {
    this.queues.whenBack(callback);
  }

  allowWaiters(_count: number): void {}

  provideBuffers(group: number, options: GroupOptions, _entry: () => Sqe): Group {
    const buffers = new Group(group, options);
    this.queues.groups.set(group, buffers);
    return buffers;
  }

  close(): void {
    this.wakeUp.close();
    this.queues.close();
  }
}
