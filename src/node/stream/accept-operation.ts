import { closeSocket } from '../../loop/closing/close.js';
import { own } from '../../loop/closing/owned-descriptors.js';
import type { Loop } from '../../loop/loop.js';
import { hasMore } from '../../loop/operation/completion.js';
import type { Delivery } from '../../loop/operation/deliveries.js';
import { Operation } from '../../loop/operation/operation.js';
import { clearTimeout, setTimeout } from '../../loop/real-timers.js';
import { isExhausted, isGone, PAUSE_MS } from '../../net/listen/accept-errors.js';
import { EAGAIN, ECANCELED } from '../../sys/abi/errno.js';
import { POLLIN } from '../../sys/abi/flags.js';
import { libc } from '../../sys/libc/libc.js';
import type { StreamHandle } from './stream-handle.js';

/** The maximum number of connections to accept in a row. */
const BURST = 64;

/**
 * The accepting side of a listening handle: each connection is one delivery. On a non-blocking socket, as in workers,
 * it polls and calls accept4(2): see `Acceptor` of src/net.
 */
export class AcceptOperation extends Operation implements Delivery {
  /** Whether a native handle accepts instead. */
  yields = false;
  readonly #handle: StreamHandle;
  readonly #polls: boolean;
  readonly #onConnection: (result: number) => void;
  /** Descriptors, and negative errnos, to deliver. */
  readonly #results: number[] = [];
  #stopping: (() => void) | null = null;
  #stopped = false;
  #pause: NodeJS.Timeout | null = null;

  constructor(loop: Loop, handle: StreamHandle, onConnection: (result: number) => void) {
    super(loop);
    this.#handle = handle;
    this.subject = handle;
    this.referenced = handle.referenced;
    this.#onConnection = onConnection;
    this.#polls = libc().isNonBlocking(handle.fd);
  }

  override get syscall(): string {
    return 'accept';
  }

  arm(): void {
    if (this.#stopped || this.slot >= 0 || this.loop.closing) return;
    const sqe = this.loop.start(this);
    if (this.#polls) sqe.pollMultishot(this.#handle.fd, POLLIN);
    else sqe.multishotAccept(this.#handle.fd);
  }

  complete(res: number, flags: number): void {
    if (this.#polls && res >= 0) this.#take();
    else this.#note(res);
    if (hasMore(flags)) return;
    if (this.#stopping !== null) {
      const stopping = this.#stopping;
      this.#stopping = null;
      stopping();
    } else if (this.#pause === null) this.arm();
  }

  /** Records a result of accept(2); returns whether there may be more. */
  #note(res: number): boolean {
    if (res >= 0) {
      if (!this.#polls) own(res);
      this.#deliver(res);
      return true;
    }
    const gone = isGone(res) || res === ECANCELED;
    if (isExhausted(res)) this.#rest();
    else if (!gone) this.#deliver(res);
    return gone && res !== EAGAIN;
  }

  #take(): void {
    for (let i = 0; i < BURST; i++) {
      if (this.#stopped || this.loop.closing || !this.#note(libc().accept(this.#handle.fd))) return;
    }
    // The poll does not report connections that are there already.
    this.loop.soon(() => this.#take());
  }

  /** No descriptor is free: trying again at once would spin. */
  #rest(): void {
    this.#pause ??= setTimeout(() => {
      this.#pause = null;
      if (this.#polls && this.slot >= 0) this.#take();
      else this.arm();
    }, PAUSE_MS);
    if (!this.referenced) this.#pause.unref();
  }

  #deliver(result: number): void {
    this.#results.push(result);
    this.loop.deliver(this);
  }

  deliver(): void {
    const result = this.#results.shift();
    if (result !== undefined) this.#onConnection(result);
  }

  /** Stops accepting, and delivers what has been accepted. */
  yield(): void {
    this.yields = true;
    this.#stopped = true;
    if (this.#pause !== null) clearTimeout(this.#pause);
    if (this.slot < 0) return;
    this.loop.cancel(this);
    this.loop.poll();
  }

  /** Stops accepting, and calls `onStopped` when the kernel is done. Closes connections that were not delivered. */
  stop(onStopped: () => void): void {
    this.#stopped = true;
    if (this.#pause !== null) clearTimeout(this.#pause);
    const stopped = (): void => {
      for (const fd of this.#results.splice(0)) {
        if (fd >= 0) closeSocket(this.loop, fd).catch(() => {});
      }
      onStopped();
    };
    if (this.slot < 0) {
      stopped();
      return;
    }
    this.#stopping = stopped;
    this.loop.setReferenced(this, true);
    this.loop.cancel(this);
  }
}
