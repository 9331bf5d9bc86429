/** A poll that reports when the peer of a connection has ended or disconnected, without reading. */
import { AsyncResource } from 'node:async_hooks';
import type { Loop } from '../../loop/loop.js';
import { hasMore } from '../../loop/operation/completion.js';
import { Operation } from '../../loop/operation/operation.js';
import { queueMicrotask } from '../../loop/real-timers.js';
import { Waiter, type WaitOptions } from '../../loop/waiting/waiter.js';
import { POLLERR, POLLHUP, POLLRDHUP } from '../../sys/abi/flags.js';
import { closedError } from '../../sys/errors/errors.js';

/** Calls that wait for one event, which occurs once. */
class Event {
  happened = false;
  readonly #waiters = new Set<Waiter<void>>();
  readonly #onChange: () => void;

  /** @param onChange called when a call begins or stops waiting. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get awaited(): boolean {
    return this.#waiters.size !== 0;
  }

  wait(options: WaitOptions | undefined, keepsAlive: boolean): Promise<void> {
    if (this.happened) return Promise.resolve();
    const waiter = new Waiter<void>('poll', gone => {
      this.#waiters.delete(gone);
      this.#onChange();
    });
    const promise = waiter.wait(options, keepsAlive);
    this.#waiters.add(waiter);
    this.#onChange();
    return promise;
  }

  /** Whether the timeouts of its calls keep the process alive. */
  setReferenced(referenced: boolean): void {
    for (const waiter of this.#waiters) waiter.setReferenced(referenced);
  }

  happen(): void {
    if (this.happened) return;
    this.happened = true;
    for (const waiter of this.#waiters) {
      waiter.settled();
      waiter.resolve();
    }
    this.#waiters.clear();
    this.#onChange();
  }
}

/**
 * Reports that a peer has ended or disconnected, without reading: a poll for only that, which received bytes do not
 * complete. Created on first use.
 */
export class PeerWatch extends Operation {
  readonly #fd: number;
  readonly #onGone: (failed: boolean) => void;
  readonly #controller = new AbortController();
  /** The context of the first call: listeners of the signal are called in that context, not in that of the loop's turn. */
  readonly #context = new AsyncResource('uasync.PeerWatch');
  readonly #ended = new Event(() => this.#refer());
  readonly #over = new Event(() => this.#refer());
  #mayRefer: boolean;
  #stopping = false;
  #onStopped: (() => void) | null = null;

  /**
   * @param referenced whether calls that wait keep the process alive.
   * @param onGone called when the connection has failed, or both sides have ended.
   */
  constructor(loop: Loop, fd: number, referenced: boolean, onGone: (failed: boolean) => void) {
    super(loop);
    this.#fd = fd;
    this.#mayRefer = referenced;
    this.#onGone = onGone;
    this.referenced = false;
    this.#arm();
  }

  override get syscall(): string {
    return 'poll';
  }

  /** Whether the peer ended its side before it disconnected. */
  get hasEnded(): boolean {
    return this.#ended.happened;
  }

  /** Resolves when nothing more will come. */
  ended(options: WaitOptions | undefined): Promise<void> {
    return this.#ended.wait(options, this.#mayRefer);
  }

  /** Resolves when the connection has ended. */
  over(options: WaitOptions | undefined): Promise<void> {
    return this.#over.wait(options, this.#mayRefer);
  }

  /** Aborted when the connection has ended. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  #arm(): void {
    // Edge-triggered: once the peer has ended only changes complete it. A hang-up and errors always do.
    if (!this.loop.closing) this.loop.start(this).pollMultishot(this.#fd, POLLRDHUP);
  }

  complete(res: number, flags: number): void {
    if (res > 0) {
      if (res & (POLLERR | POLLHUP)) this.#gone((res & POLLERR) !== 0);
      else this.#ended.happen();
    }
    if (hasMore(flags)) return;
    if (this.#stopping) {
      this.#onStopped?.();
      return;
    }
    if (this.loop.closing) this.finish(closedError('The loop'));
    // The kernel has ended it for lack of room for its completion.
    else if (res > 0 && !this.#over.happened) this.#arm();
  }

  #gone(failed: boolean): void {
    if (!this.#over.happened) this.#onGone(failed);
  }

  /** The connection has ended, for this reason. */
  finish(reason: Error): void {
    this.#ended.happen();
    if (this.#over.happened) return;
    this.#over.happen();
    // Listeners are the user's code.
    queueMicrotask(() => this.#context.runInAsyncScope(() => this.#controller.abort(reason)));
  }

  setReferenced(referenced: boolean): void {
    this.#mayRefer = referenced;
    this.#ended.setReferenced(referenced);
    this.#over.setReferenced(referenced);
    this.#refer();
  }

  #refer(): void {
    this.loop.setReferenced(this, this.#mayRefer && (this.#ended.awaited || this.#over.awaited));
  }

  /** Ends the poll: `onStopped` is called once the kernel is done with the descriptor. */
  stop(onStopped: () => void): void {
    this.#stopping = true;
    if (this.slot < 0) {
      onStopped();
      return;
    }
    this.#onStopped = onStopped;
    this.loop.cancel(this);
  }
}
