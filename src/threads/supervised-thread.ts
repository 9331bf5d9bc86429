/** A thread that is restarted when it crashes. */
import type { LoopStats } from '../loop/loop-stats.js';
import { clearTimeout, nextTick, setTimeout } from '../loop/real-timers.js';
import { unlessGivenUp, type WaitOptions } from '../loop/waiting/waiter.js';
import { KeptSockets } from '../net/socket/kept-sockets.js';
import type { InetAddress } from '../sys/socket/sockaddr.js';
import type { Channel } from './channel.js';
import { RunningThread, type ThreadEnd, type ThreadProgram } from './running-thread.js';

/** The longest pause before a restart, in milliseconds. */
const DELAY_MAX = 30_000;
/** A thread that has run for this long, in milliseconds, has not crashed because of how it starts. */
const STABLE_MS = 10_000;

/** What a supervised thread needs of its owner. */
export interface ThreadOwner extends ThreadProgram {
  readonly restartDelay: number;
  started(thread: SupervisedThread, channel: Channel, restarts: number): void;
  crashed(thread: SupervisedThread, error: Error, exitCode: number, delay: number): void;
}

/** One of a server's threads: restarted when it ends unexpectedly, and replaced on request. */
export class SupervisedThread {
  readonly id: number;
  /** How many times it was restarted. */
  restarts = 0;
  /** Whether it has ever served. */
  served = false;
  /** Where it listens. */
  addresses: readonly InetAddress[] = [];
  readonly #owner: ThreadOwner;
  readonly #sockets = new KeptSockets();
  /** The thread that serves. */
  #current: RunningThread | null = null;
  /** Its successor, until that serves. */
  #next: RunningThread | null = null;
  /** Predecessors that have not ended yet. */
  readonly #retired = new Set<RunningThread>();
  #failures = 0;
  #restart: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(id: number, owner: ThreadOwner) {
    this.id = id;
    this.#owner = owner;
  }

  /** The channel to the running thread, a new one for each start. null while none is running. */
  get channel(): Channel | null {
    return this.#current?.channel ?? null;
  }

  /** Starts it. Resolves when it serves; rejects with the reason if it ends before that, or cannot be created. */
  async start(): Promise<void> {
    let thread: RunningThread;
    try {
      thread = this.#make(this.restarts);
    } catch (error) {
      this.#crashed({ error: error as Error, exitCode: 1, ran: 0 });
      throw error;
    }
    this.#current = thread;
    await thread.ready;
    this.served = true;
    this.addresses = thread.addresses;
  }

  #make(restarts: number): RunningThread {
    const thread = new RunningThread(this.id, this.#owner, this.#sockets, end => this.#ended(thread, end));
    // An error in the user's callback is an uncaught exception, not a failure of the thread.
    nextTick(() => {
      if (this.#current === thread || this.#next === thread) {
        this.#owner.started(this, thread.channel, restarts);
      }
    });
    return thread;
  }

  #ended(thread: RunningThread, end: ThreadEnd): void {
    this.#retired.delete(thread);
    if (this.#current !== thread) return;
    this.#current = null;
    this.#crashed(end);
  }

  /** Restarts it after a delay, unless a replacement is about to start. */
  #crashed({ error, exitCode, ran }: ThreadEnd): void {
    if (this.#stopping) return;
    this.#failures = ran >= STABLE_MS ? 0 : this.#failures;
    const delay =
      this.#next === null ? Math.min(this.#owner.restartDelay * 2 ** this.#failures, DELAY_MAX) : 0;
    this.#failures++;
    if (this.#next === null) this.#startIn(delay);
    // As above.
    nextTick(() => this.#owner.crashed(this, error, exitCode, delay));
  }

  #startIn(delay: number): void {
    this.#restart = setTimeout(() => {
      this.#restart = null;
      this.restarts++;
      // A failure is reported like any other crash.
      this.start().catch(() => {});
    }, delay);
  }

  /**
   * Starts a replacement, which accepts the connections that wait. Resolves when that serves, to the thread that served
   * before, on which the caller calls `end`. If it ends before that, or `options` abort it, the old one continues.
   */
  async replace(options: WaitOptions): Promise<RunningThread | null> {
    const waiting = this.#restart !== null;
    if (waiting) clearTimeout(this.#restart!);
    this.#restart = null;
    let next: RunningThread | null = null;
    try {
      next = this.#make(this.restarts + 1);
      this.#next = next;
      await unlessGivenUp(next.ready, 'serve', options);
    } catch (error) {
      await next?.end(AbortSignal.abort());
      this.#next = null;
      if (this.#current === null && !this.#stopping) this.#startIn(this.#owner.restartDelay);
      throw error;
    }
    const old = this.#current;
    this.#next = null;
    this.#current = next;
    this.#failures = 0;
    this.restarts++;
    this.addresses = next.addresses;
    if (old !== null) this.#retired.add(old);
    return old;
  }

  /** Its loop's counters; null if it is not running. */
  async stats(): Promise<LoopStats | null> {
    return this.#current === null ? null : this.#current.stats();
  }

  /** Asks it to end. Resolves when it has, to how many had to be terminated because `now` was aborted. */
  async stop(now: AbortSignal): Promise<number> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const threads = [this.#current, this.#next, ...this.#retired].filter(thread => thread !== null);
    const terminated = await Promise.all(threads.map(thread => thread.end(now)));
    return terminated.filter(Boolean).length;
  }
}
