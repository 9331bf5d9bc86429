import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { ignoreAbort, listenForAbort } from '../loop/abort-listeners.js';
import { Channel } from '../loop/channel.js';
import { channelPair } from '../loop/channel-end.js';
import type { LoopStats } from '../loop/loop-stats.js';
import { clearTimeout, nextTick, now, setTimeout } from '../loop/real-timers.js';
import { UasyncError } from '../ring/errors.js';
import type { InetAddress } from '../ring/sockaddr.js';
import type { FromThread, ThreadData, ToThread } from './thread-messages.js';

/** The longest pause before a thread is started again, in milliseconds. */
const DELAY_MAX = 30_000;
/** One that has run for so long, in milliseconds, has not crashed because of how it starts. */
const PROVEN_MS = 10_000;

/** What a supervised thread needs of its owner. */
export interface ThreadOwner {
  readonly moduleUrl: string;
  readonly data: unknown;
  readonly restartDelay: number;
  /** The port that all threads share as their `index`th. */
  reserve(index: number, host: string | undefined, ipv6Only: boolean): Promise<number>;
  started(thread: SupervisedThread): void;
  crashed(thread: SupervisedThread, error: Error, exitCode: number, delay: number): void;
}

/** The outer side of a thread: it is started again when it ends unasked. */
export class SupervisedThread {
  readonly id: number;
  /** How many times it was started again. */
  restarts = 0;
  /** To the running thread; a new one for each start. null while none is running. */
  channel: Channel | null = null;
  /** Where it listens. */
  addresses: readonly InetAddress[] = [];
  readonly #owner: ThreadOwner;
  #worker: Worker | null = null;
  #control: MessagePort | null = null;
  #asked = new Map<number, (stats: LoopStats | null) => void>();
  #calls = 0;
  #failures = 0;
  #restart: NodeJS.Timeout | null = null;
  #stopping = false;

  constructor(id: number, owner: ThreadOwner) {
    this.id = id;
    this.#owner = owner;
  }

  /** Whether a thread is there. */
  get running(): boolean {
    return this.#worker !== null;
  }

  /** Starts it; resolves when it serves, rejects with the reason if it ends before, or cannot be made. */
  async start(): Promise<void> {
    let worker: Worker;
    try {
      worker = this.#make();
    } catch (error) {
      this.channel?.close();
      this.#ended(error as Error, 1, 0);
      throw error;
    }
    const control = this.#control!;
    const begun = now();
    return new Promise((resolve, reject) => {
      let failure: Error | undefined;
      control.on('message', (message: FromThread) => {
        if (message.type === 'ready') {
          this.addresses = message.addresses;
          resolve();
        } else {
          this.#told(control, message);
        }
      });
      // The worker itself holds the process.
      control.unref();
      worker.once('error', (error: Error) => {
        failure = error;
      });
      worker.once('exit', code => {
        failure ??= new UasyncError('ERR_THREAD_EXIT', `Thread ${this.id} ended with exit code ${code}`);
        reject(failure);
        this.#ended(failure, code, now() - begun);
      });
      // An error of the user's is one like any other, and not the thread's.
      nextTick(() => {
        if (this.#worker === worker) this.#owner.started(this);
      });
    });
  }

  /** Makes the thread, and what leads to it, which must be there before it runs. */
  #make(): Worker {
    const [mine, theirs] = channelPair();
    this.channel = new Channel(mine);
    const { port1, port2 } = new MessageChannel();
    this.#control = port1;
    const { moduleUrl, data } = this.#owner;
    const workerData: ThreadData = { id: this.id, moduleUrl, data, control: port2, end: theirs };
    this.#worker = new Worker(new URL('./thread-entry.js', import.meta.url), {
      name: `uasync ${this.id}`,
      workerData,
      transferList: [port2, theirs.port],
    });
    return this.#worker;
  }

  async #told(control: MessagePort, message: FromThread): Promise<void> {
    if (message.type === 'stats') {
      this.#asked.get(message.call)?.(message.stats);
      this.#asked.delete(message.call);
    } else if (message.type === 'reserve') {
      const { index, host, ipv6Only } = message;
      try {
        const port = await this.#owner.reserve(index, host, ipv6Only);
        control.postMessage({ type: 'reserved', index, port } satisfies ToThread);
      } catch (error) {
        // Cloned, an error would lose its code.
        const { message } = error as Error;
        control.postMessage({
          type: 'refused',
          index,
          message,
          details: { ...(error as UasyncError) },
        } satisfies ToThread);
      }
    }
  }

  #ended(error: Error, exitCode: number, ranMs: number): void {
    this.#worker = null;
    this.#control?.close();
    this.#control = null;
    this.channel = null;
    for (const answer of this.#asked.values()) answer(null);
    this.#asked.clear();
    if (this.#stopping) return;
    this.#failures = ranMs >= PROVEN_MS ? 0 : this.#failures;
    const delay = Math.min(this.#owner.restartDelay * 2 ** this.#failures, DELAY_MAX);
    this.#failures++;
    this.#restart = setTimeout(() => {
      this.#restart = null;
      this.restarts++;
      // Should it fail, it is reported as any other crash.
      this.start().catch(() => {});
    }, delay);
    this.#owner.crashed(this, error, exitCode, delay);
  }

  /** Its loop's counters; null if it is not running. */
  stats(): Promise<LoopStats | null> {
    const control = this.#control;
    if (control === null) return Promise.resolve(null);
    const call = this.#calls++;
    control.postMessage({ type: 'stats', call } satisfies ToThread);
    return new Promise(resolve => this.#asked.set(call, resolve));
  }

  /** Asks it to end; resolves when it has, to whether it had to be terminated when `now` was aborted. */
  async stop(now: AbortSignal): Promise<boolean> {
    this.#stopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const worker = this.#worker;
    if (worker === null) return false;
    const exit = new Promise(resolve => worker.once('exit', resolve));
    this.#control!.postMessage({ type: 'stop' } satisfies ToThread);
    let terminated = false;
    const terminate = (): void => {
      terminated = true;
      worker.terminate();
    };
    const listener = { onAbort: terminate };
    if (now.aborted) terminate();
    else listenForAbort(now, listener);
    await exit;
    ignoreAbort(now, listener);
    return terminated;
  }
}
