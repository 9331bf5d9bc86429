/** `Channel`: values between two threads of this process. */
import type { InspectOptionsStylized } from 'node:util';
import { isSharedArrayBuffer } from 'node:util/types';
import { loop as currentLoop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';
import { setImmediate } from '../loop/real-timers.js';
import { checkWait, type WaitOptions } from '../loop/waiting/waiter.js';
import { optionNames } from '../sys/check/options.js';
import { argTypeError, closedError, errorFrom, stateError } from '../sys/errors/errors.js';
import { counted, custom, shown } from '../sys/inspect.js';
import type { ChannelEnd } from './channel-end.js';
import { IncomingMessages, OutgoingMessages } from './channel-messages.js';
import { ChannelPort, type TransferList } from './channel-port.js';
import { Receiving, Sending, Sleep } from './channel-waiters.js';
import { EndState, WANTS_MESSAGE, WANTS_ROOM } from './end-state.js';
import { MessageQueue } from './message-queue.js';
import { newKey, openOn } from './open-channels.js';

/**
 * One end of a channel between two threads of this process. Values sent at one end are received at the other, in order.
 * Typed arrays are copied through shared memory; other values are cloned as `postMessage` does. A sleeping end is woken
 * through its ring. Received values have the type `T`, sent ones `S`.
 */
export class Channel<T = unknown, S = T> implements AsyncIterable<T> {
  readonly #loop: Loop;
  readonly #port: ChannelPort;
  readonly #mine: EndState;
  readonly #theirs: EndState;
  readonly #incoming: IncomingMessages;
  readonly #outgoing: OutgoingMessages;
  readonly #receiving: Receiving[] = [];
  readonly #sending: Sending[] = [];
  readonly #key = newKey();
  readonly #sleep: Sleep;
  readonly #portClosed: Promise<void>;
  #credit = BURST_MAX;
  #resting = false;
  /** Whether the other end will be notified of room at the end of this turn. */
  #makingRoom = false;
  #closed = false;
  /** Whether the other thread has ended, or has closed its end. */
  #deserted = false;

  /**
   * Opens an end, in the thread that uses it.
   * @throws UasyncError ERR_INVALID_STATE if it was opened before.
   */
  constructor(end: ChannelEnd) {
    if (typeof end !== 'object' || end === null || !isSharedArrayBuffer(end.memory)) {
      throw argTypeError('end', 'an end of channelPair()', end);
    }
    const loop = currentLoop();
    const { port, memory, side } = end;
    this.#mine = new EndState(memory, side * EndState.size);
    this.#theirs = new EndState(memory, (1 - side) * EndState.size);
    if (!this.#mine.open(loop.mailbox, this.#key)) {
      throw stateError('This end of the channel is already open');
    }
    const queueBytes = memory.byteLength / 2 - EndState.size;
    const capacity = queueBytes - MessageQueue.sizeOf(0);
    const queue = (of: number): MessageQueue =>
      new MessageQueue(memory, 2 * EndState.size + of * queueBytes, capacity);
    this.#loop = loop;
    this.#sleep = new Sleep(loop, () => this.#woken());
    this.#sleep.subject = { kind: 'Channel', fd: -1, object: this };
    let portClosed!: () => void;
    this.#portClosed = new Promise(resolve => {
      portClosed = resolve;
    });
    this.#port = new ChannelPort(
      port,
      () => {
        if (this.#receiving.length !== 0) this.#woken();
      },
      () => loop.settleExpected(this.#key, 0),
      () => {
        this.#deserted = true;
        openOn(loop).delete(this.#woken);
        this.#woken();
        portClosed();
      },
    );
    openOn(loop).add(this.#woken);
    this.#outgoing = new OutgoingMessages(queue(side), this.#port, this.#mine);
    this.#incoming = new IncomingMessages(queue(1 - side), this.#port);
  }

  /** Whether nothing can be sent any more: either end was closed, or the other thread ended. */
  get closed(): boolean {
    return this.#closed || this.#gone();
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(
      this,
      depth,
      options,
      this.#closed ? 'closed' : this.#gone() ? 'closed by the other end' : 'open',
      '',
      [
        !this.#closed && !this.#incoming.empty && 'messages waiting',
        counted(this.#receiving.length, 'recv waiting', 'recvs waiting'),
        counted(this.#sending.length, 'send waiting', 'sends waiting'),
        !this.#sleep.referenced && 'unref',
      ],
    );
  }

  #gone(): boolean {
    return this.#deserted || this.#theirs.closed;
  }

  // --- Sending ------------------------------------------------------------------------------------

  /**
   * Sends a value. Resolves when there was room for it, usually at once. Do not change the value before that. The bytes
   * of a typed array are copied, even if it lies in shared memory.
   * @throws (as a rejection) ERR_CLOSED, DataCloneError, AbortError, ETIMEDOUT, TypeError.
   */
  send(value: S, options?: ChannelSendOptions): Promise<void> {
    try {
      checkWait(options, SEND_OPTIONS);
      const transfer = options?.transfer;
      if (transfer !== undefined && !Array.isArray(transfer)) {
        throw argTypeError('options.transfer', 'an instance of Array', transfer);
      }
      if (this.closed) throw closedError('The channel');
      if (this.#loop.closing) throw closedError('The loop');
      const direct = this.#sending.length === 0 && this.#credit > 0 && !this.#outgoing.busy;
      if (direct && this.#outgoing.push(value, transfer)) {
        this.#credit--;
        this.#wakePeer(WANTS_MESSAGE);
        return Promise.resolve();
      }
      const sending = new Sending('send', gone => this.#forget(this.#sending, gone));
      sending.value = value;
      sending.transfer = transfer;
      this.#sending.push(sending);
      const promise = sending.wait(options, false);
      this.#settle();
      return promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  // --- Receiving ----------------------------------------------------------------------------------

  /**
   * Receives the next value. Concurrent calls are served in order.
   * @throws (as a rejection) ERR_CLOSED when there will be no more, AbortError, ETIMEDOUT; ERR_MESSAGE for a value that
   * cannot be rebuilt in this thread, after which the next ones can be received.
   */
  recv(options?: WaitOptions): Promise<T> {
    try {
      checkWait(options);
      return this.#receive(false, options) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #receive(iterates: boolean, options: WaitOptions | undefined): Promise<unknown> {
    if (this.#closed) {
      if (iterates) return Promise.resolve({ value: undefined, done: true });
      return Promise.reject(closedError('The channel'));
    }
    if (this.#loop.closing) return Promise.reject(closedError('The loop'));
    if (this.#receiving.length === 0 && this.#credit > 0 && !this.#incoming.empty) {
      this.#credit--;
      try {
        const value = this.#incoming.take();
        return Promise.resolve(iterates ? { value, done: false } : value);
      } catch (error) {
        return Promise.reject(error);
      } finally {
        this.#madeRoom();
      }
    }
    const receiving = new Receiving('recv', gone => this.#forget(this.#receiving, gone));
    receiving.iterates = iterates;
    this.#receiving.push(receiving);
    const promise = receiving.wait(options, false);
    this.#settle();
    return promise;
  }

  /** Yields values until the channel is closed; leaving the loop closes it. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: () => this.#receive(true, undefined) as Promise<IteratorResult<T, undefined>>,
      return: async () => {
        await this.close();
        return { value: undefined, done: true };
      },
    };
  }

  // --- Waiting ------------------------------------------------------------------------------------

  #forget<W>(waiting: W[], gone: W): void {
    waiting.splice(waiting.indexOf(gone), 1);
    this.#settle();
  }

  /** Serves the waiting calls, as far as possible, and asks to be woken for the others. */
  #settle(): void {
    if (this.#outgoing.busy) {
      // Code of a value that is being cloned has called.
      setImmediate(() => this.#settle());
      return;
    }
    for (;;) {
      if (this.#closed) return;
      this.#serve();
      if (this.#resting) return;
      const wants =
        (this.#receiving.length !== 0 ? WANTS_MESSAGE : 0) | (this.#sending.length !== 0 ? WANTS_ROOM : 0);
      if (wants === 0 || this.#credit === 0) {
        if (wants !== 0) this.#rest();
        this.#mine.wants = 0;
        this.#loop.settleExpected(this.#key, 0);
        return;
      }
      try {
        if (this.#sleep.slot < 0) this.#loop.expect(this.#sleep, this.#key);
      } catch (error) {
        this.#fail(error as Error);
        return;
      }
      this.#mine.wants = wants;
      // An event just before has caused no wake-up.
      if (!this.#ready()) return;
    }
  }

  /** Whether one of the waiting calls could be served. */
  #ready(): boolean {
    if (this.#gone()) return true;
    if (this.#receiving.length !== 0 && !this.#incoming.empty) return true;
    return this.#sending.length !== 0 && this.#outgoing.room >= this.#mine.needed;
  }

  #serve(): void {
    const receiving = this.#receiving;
    // Read before the queue: values sent before the close come first.
    const gone = this.#gone();
    let taken = false;
    while (receiving.length !== 0 && this.#credit > 0 && !this.#incoming.empty) {
      this.#credit--;
      const first = receiving.shift()!;
      first.settled();
      try {
        first.give(this.#incoming.take());
      } catch (error) {
        first.fail(error);
      }
      taken = true;
    }
    if (taken) this.#madeRoom();
    if (gone && this.#incoming.empty) for (const one of receiving.splice(0)) this.#end(one);

    const sending = this.#sending;
    let sent = false;
    while (sending.length !== 0 && this.#credit > 0) {
      const first = sending[0]!;
      try {
        if (gone) throw closedError('The channel');
        if (!this.#outgoing.push(first.value, first.transfer)) break;
        first.resolve();
        sent = true;
      } catch (error) {
        first.fail(error);
      }
      this.#credit--;
      // It may have been given up while it was cloned.
      if (sending[0] === first) sending.shift();
      first.settled();
    }
    if (sent) this.#wakePeer(WANTS_MESSAGE);
  }

  #end(receiving: Receiving): void {
    receiving.settled();
    receiving.end();
  }

  /** Pauses after a burst, so that timers and other handles run. */
  #rest(): void {
    this.#resting = true;
    setImmediate(() => {
      this.#resting = false;
      this.#credit = BURST_MAX;
      if (!this.#closed) this.#settle();
    });
  }

  /** The other end, or the closing loop, has woken us. */
  readonly #woken = (): void => {
    if (this.#closed) return;
    if (this.#loop.closing) this.#fail(closedError('The loop'));
    else this.#settle();
  };

  /** Wakes the other end if it sleeps for this reason. */
  #wakePeer(reason: number): void {
    const theirs = this.#theirs;
    if ((theirs.wants & reason) === 0) return;
    if (reason === WANTS_ROOM && this.#incoming.room < theirs.needed) return;
    if (!theirs.rouse() || this.#deserted || this.#loop.closing) return;
    this.#notify();
  }

  /** Ends the other end's sleep. */
  #notify(): void {
    const { mailbox, key } = this.#theirs;
    if (mailbox >= 0 && this.#loop.mailbox >= 0) this.#loop.notify(mailbox, key);
    else this.#port.wake();
  }

  /** A value was received: the other end may wait for its room. A fast receiver makes more in the same turn. */
  #madeRoom(): void {
    if ((this.#theirs.wants & WANTS_ROOM) === 0) return;
    if (this.#incoming.halfEmpty) this.#wakePeer(WANTS_ROOM);
    else if (!this.#makingRoom) {
      this.#makingRoom = true;
      setImmediate(() => {
        this.#makingRoom = false;
        if (!this.#closed) this.#wakePeer(WANTS_ROOM);
      });
    }
  }

  // --- The end ------------------------------------------------------------------------------------

  /** Waiting calls keep the process alive, which is the default. */
  ref(): this {
    this.#loop.setReferenced(this.#sleep, true);
    return this;
  }

  /** Waiting calls no longer keep the process alive. */
  unref(): this {
    this.#loop.setReferenced(this.#sleep, false);
    return this;
  }

  /**
   * Closes this end. Pending calls here reject with ERR_CLOSED, and values that were not received are dropped. The
   * other end still receives what was sent, then its iteration ends. A second call does nothing.
   */
  close(): Promise<void> {
    this.#fail(closedError('The channel'));
    return this.#portClosed;
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    openOn(this.#loop).delete(this.#woken);
    this.#mine.close();
    this.#loop.settleExpected(this.#key, 0);
    const closing = this.#loop.closing;
    if (!closing && this.#theirs.rouse() && !this.#deserted) this.#notify();
    this.#port.close();
    for (const one of this.#receiving.splice(0)) {
      one.settled();
      if (closing) one.fail(errorFrom(error));
      else one.end();
    }
    for (const one of this.#sending.splice(0)) {
      one.settled();
      one.fail(errorFrom(error));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Options for sending. */
export interface ChannelSendOptions extends WaitOptions {
  /** ArrayBuffers, MessagePorts and similar to transfer to the other thread instead of copying them. */
  transfer?: TransferList | undefined;
}

const SEND_OPTIONS = optionNames<ChannelSendOptions>({ signal: true, timeout: true, transfer: true });

/** How many calls in a row are settled at once, before libuv and other handles run. */
const BURST_MAX = 512;
