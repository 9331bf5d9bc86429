/** A worker thread that runs a module of `serveOnThreads`. */
import type { MessagePort, Worker } from 'node:worker_threads';
import type { LoopStats } from '../loop/loop-stats.js';
import { clearTimeout, now, startTimer } from '../loop/real-timers.js';
import { ignoreAbort, listenForAbort } from '../loop/waiting/abort-listeners.js';
import type { KeptSockets } from '../net/socket/kept-sockets.js';
import { UasyncError } from '../sys/errors/errors.js';
import { ownUrl } from '../sys/own-url.js';
import type { InetAddress } from '../sys/socket/sockaddr.js';
import { Channel } from './channel.js';
import { channelPair } from './channel-end.js';
import type { FromThread, SocketRequest, ThreadData, ToThread } from './thread-messages.js';

/** The program of a thread. */
export interface ThreadProgram {
  readonly moduleUrl: string;
  readonly data: unknown;
  /** Opens a listening socket for the thread with this id. */
  open(request: SocketRequest): Promise<number>;
}

/** How a thread has ended. */
export interface ThreadEnd {
  readonly error: Error;
  readonly exitCode: number;
  /** Milliseconds since it was started. */
  readonly ran: number;
}

/** A thread as its starter sees it, from start to end. */
export class RunningThread {
  /** The channel to the thread; it closes when the thread ends. */
  readonly channel: Channel;
  /** Where it listens, once it is ready. */
  addresses: readonly InetAddress[] = [];
  /** Resolves when it serves; rejects with the reason if it ends before that. */
  readonly ready: Promise<void>;
  readonly #program: ThreadProgram;
  readonly #sockets: KeptSockets;
  readonly #worker: Worker;
  readonly #control: MessagePort;
  readonly #asked = new Map<number, (stats: LoopStats | null) => void>();
  /** Holders of the sockets that the thread is taking, by the ids of its requests, with the sockets' names. */
  readonly #taking = new Map<number, { readonly name: string }>();
  #calls = 0;
  #ended = false;

  /** @throws DataCloneError for data that cannot be cloned, and any error of creating a worker. */
  constructor(id: number, program: ThreadProgram, sockets: KeptSockets, onExit: (end: ThreadEnd) => void) {
    this.#program = program;
    this.#sockets = sockets;
    const [mine, theirs] = channelPair();
    this.channel = new Channel(mine);
    // The module of the thread needs its context before it runs.
    const threads = process.getBuiltinModule('node:worker_threads');
    const { port1, port2 } = new threads.MessageChannel();
    const { moduleUrl, data } = program;
    const workerData: ThreadData = { id, moduleUrl, data, control: port2, end: theirs };
    try {
      this.#worker = new threads.Worker(new URL('./thread-entry.js', ownUrl(import.meta.url)), {
        name: `uasync ${id}`,
        workerData,
        transferList: [port2, theirs.port],
      });
    } catch (error) {
      void this.channel.close();
      port1.close();
      throw error;
    }
    this.#control = port1;
    const begun = now();
    this.ready = new Promise((resolve, reject) => {
      let failure: Error | undefined;
      port1.on('message', (message: FromThread) => {
        if (message.type === 'ready') {
          this.addresses = message.addresses;
          resolve();
        } else {
          this.#onMessage(message);
        }
      });
      // The worker itself keeps the process alive.
      port1.unref();
      this.#worker.once('error', (error: Error) => {
        failure = error;
      });
      this.#worker.once('exit', exitCode => {
        failure ??= new UasyncError('ERR_THREAD_EXIT', `Thread ${id} ended with exit code ${exitCode}`);
        reject(failure);
        this.#finish();
        onExit({ error: failure, exitCode, ran: now() - begun });
      });
    });
    // Callers that do not await it learn of its end by `onExit`.
    this.ready.catch(() => {});
  }

  #onMessage(message: Exclude<FromThread, { type: 'ready' }>): void {
    switch (message.type) {
      case 'stats':
        this.#asked.get(message.call)?.(message.stats);
        this.#asked.delete(message.call);
        break;
      case 'listen':
        void this.#show(message.call, message.request);
        break;
      case 'taken': {
        const taker = this.#taking.get(message.call);
        this.#taking.delete(message.call);
        if (taker !== undefined) this.#sockets.release(taker.name, taker);
        break;
      }
      case 'unused':
        this.#sockets.release(message.name, this);
    }
  }

  /** Shows the thread a socket, which stays open at least until the thread has taken it. */
  async #show(call: number, request: SocketRequest): Promise<void> {
    const { name } = request;
    const taker = { name };
    this.#taking.set(call, taker);
    try {
      const fd = this.#sockets.hold(name, taker, () => this.#program.open(request));
      this.#sockets.hold(name, this, () => fd).catch(() => {});
      this.#post({ type: 'socket', call, fd: await fd });
    } catch (error) {
      this.#taking.delete(call);
      // A cloned error would lose its code.
      const { message } = error as Error;
      this.#post({ type: 'refused', call, message, details: { ...(error as UasyncError) } });
    }
  }

  #post(message: ToThread): void {
    this.#control.postMessage(message);
  }

  /** The thread has ended. */
  #finish(): void {
    this.#ended = true;
    this.#control.close();
    this.letGo();
    for (const taker of this.#taking.values()) this.#sockets.release(taker.name, taker);
    this.#taking.clear();
    for (const answer of this.#asked.values()) answer(null);
    this.#asked.clear();
  }

  /** Its sockets are no longer kept for it. */
  letGo(): void {
    this.#sockets.releaseAll(this);
  }

  /** Its loop's counters; null if it ends before it answers. */
  stats(): Promise<LoopStats | null> {
    if (this.#ended) return Promise.resolve(null);
    const call = this.#calls++;
    this.#post({ type: 'stats', call });
    return new Promise(resolve => this.#asked.set(call, resolve));
  }

  /** Asks it to end. Resolves when it has, to whether it had to be terminated because `now` was aborted. */
  async end(now: AbortSignal): Promise<boolean> {
    if (this.#ended) return false;
    const worker = this.#worker;
    const exit = new Promise(resolve => worker.once('exit', resolve));
    this.letGo();
    this.#post({ type: 'stop' });
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

/** Ends a thread; resolves to whether it had to be terminated. */
export async function endWithin(
  thread: RunningThread,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const end = new AbortController();
  const terminate = (): void => end.abort();
  const timer = startTimer(terminate, timeout);
  const listener = { onAbort: terminate };
  if (signal?.aborted) terminate();
  else if (signal !== undefined) listenForAbort(signal, listener);
  const terminated = await thread.end(end.signal);
  clearTimeout(timer);
  if (signal !== undefined) ignoreAbort(signal, listener);
  return terminated;
}
