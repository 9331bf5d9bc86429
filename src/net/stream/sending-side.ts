import type { Loop } from '../../loop/loop.js';
import { Operation } from '../../loop/operation/operation.js';
import { isExiting } from '../../loop/turns/exiting.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../../sys/abi/sockets.js';
import { closedError, errorFrom } from '../../sys/errors/errors.js';

/**
 * The state of the sending side of a connection: counters, bursts, pipes that lead there, and callbacks for its drain.
 */
export abstract class SendingSide extends Operation {
  protected readonly fd: number;
  /** The peer, see `peerNameOf`. */
  readonly peer: string;
  /** Bytes that the kernel has taken. */
  bytesWritten = 0;
  /** Bytes of writes that it has not taken. */
  bufferedAmount = 0;
  /** The error that prevents further sends. */
  error: Error | null = null;
  /**
   * On io_uring, whether the peer sends no more. The kernel then gives a send that waits a thread (io-wq), as its own
   * poll completes at once: see `awaitWritable`.
   */
  peerEnded = false;
  /** The send of the current holder, see `hold`. Once the peer ends, it ends with what the socket has taken. */
  heldSend: { yieldBlock(): boolean } | null = null;
  #ended = false;
  /** Ends each pipe that leads here, as it may wait for bytes that never come. */
  #pipes: Set<(error: Error) => void> | null = null;
  #onDrained: (() => void)[] | null = null;
  /** Whether the current write has no promise: see `post`. */
  protected posting = false;
  /** Whether the kernel connects with the first send, which has not started. TCP_FASTOPEN_CONNECT, tcp(7) */
  deferred = false;
  /** The loop's completion count at the last plain send. */
  protected sentAt = -1;
  /** Whether the last burst had several writes: those of the next leave together from the first on. */
  protected bursts = false;

  constructor(loop: Loop, fd: number, peer: string) {
    super(loop);
    this.fd = fd;
    this.peer = peer;
  }

  override get syscall(): string {
    return 'write';
  }

  /** Whether nothing is queued or in flight. */
  abstract get idle(): boolean;

  /** A send that waits ends, and goes on after a poll; false if none does. */
  protected abstract pollInstead(): boolean;

  /** The peer sends no more. */
  peerEnds(): void {
    if (this.peerEnded || this.loop.backend !== 'io_uring') return;
    this.peerEnded = true;
    this.heldSend?.yieldBlock();
    this.pollInstead();
  }

  /** Resolves when the kernel has taken every byte. */
  abstract write(data: string | Uint8Array): Promise<void>;

  /** As `write`, without a promise: the next write or read reports a failure. */
  post(data: string | Uint8Array): void {
    if (this.ended || this.error !== null || this.loop.closing) return;
    this.posting = true;
    try {
      void this.write(data);
    } finally {
      this.posting = false;
    }
  }

  /** Whether a write is one of several, as far as that is known; at the exit it leaves like one. */
  protected inBurst(): boolean {
    return this.bursts || this.sentAt === this.loop.completed || isExiting();
  }

  /** A read waits for the peer: makes the kernel connect, even without bytes to send. */
  connect(): void {
    this.deferred = false;
    this.loop.soon(() => {
      if (!this.idle || this.ended || this.bytesWritten !== 0 || this.loop.closing) return;
      this.loop.startUnowned().sendAt(this.fd, 0, 0, MSG_NOSIGNAL | MSG_DONTWAIT);
    });
  }

  /** Whether writing has ended: new writes are refused. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The reason why nothing can be written, if any: a new error for the caller. */
  protected get refusal(): Error | null {
    if (this.#ended) return closedError('The connection');
    if (this.error !== null) return errorFrom(this.error);
    return this.loop.closing ? closedError('The loop') : null;
  }

  /** Ends writing: queued data is still sent, and pipes end once they have sent theirs. */
  end(): void {
    if (this.piped) this.endPipes(closedError('The other connection'));
    this.#ended = true;
  }

  /** Whether a pipe leads here. */
  get piped(): boolean {
    return this.#pipes !== null && this.#pipes.size !== 0;
  }

  /** Calls `end`, once or more, when nothing more can be written. */
  addPipe(end: (error: Error) => void): void {
    this.#pipes ??= new Set();
    this.#pipes.add(end);
  }

  removePipe(end: (error: Error) => void): void {
    this.#pipes!.delete(end);
  }

  /** Ends the pipes that lead here. */
  endPipes(error: Error): void {
    if (this.#pipes !== null) for (const end of this.#pipes) end(error);
  }

  /** Calls back when nothing is left to send. */
  whenDrained(callback: () => void): void {
    if (this.idle) {
      callback();
      return;
    }
    this.#onDrained ??= [];
    this.#onDrained.push(callback);
  }

  /** Cancels a `whenDrained`. */
  forgetDrained(callback: () => void): void {
    if (this.#onDrained !== null) this.#onDrained = this.#onDrained.filter(other => other !== callback);
  }

  /** Calls the drain callbacks, once everything is sent or sending has failed. */
  protected settleDrained(): void {
    const callbacks = this.#onDrained;
    if (callbacks === null || !this.idle) return;
    this.#onDrained = null;
    for (const callback of callbacks) callback();
  }
}
