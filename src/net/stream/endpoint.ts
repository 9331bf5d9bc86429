import { closeSocket } from '../../loop/closing/close.js';
import type { Loop } from '../../loop/loop.js';
import type { Operation } from '../../loop/operation/operation.js';
import { queueMicrotask } from '../../loop/real-timers.js';
import { Waiter, type WaitOptions } from '../../loop/waiting/waiter.js';
import { ECONNRESET, EPIPE } from '../../sys/abi/errno.js';
import { SHUT_WR } from '../../sys/abi/sockets.js';
import { closedError, type ErrorDetails, kept, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { placeOf } from '../address/addresses.js';
import { connectionClosed, failed } from '../socket/diagnostics.js';
import { forget, type Remains, userOf } from '../socket/forgotten.js';
import type { IdleTimer } from '../socket/idle-timer.js';
import { setResetOnClose } from '../socket/options.js';
import { addressOf, detailsOf, peerNameOf } from '../socket/peer-name.js';
import { FdReceiver } from '../socket/received-fds.js';
import { takenByPeer } from '../socket/tcp-info.js';
import { idleTimerOf } from './idle-limit.js';
import { endNow, LingeringClose } from './lingering-close.js';
import { PeerWatch } from './peer-watch.js';
import { ReceiveBuffers } from './receive-buffers.js';
import { Receiver } from './receiver.js';
import type { ReceiverOwner } from './receiver-owner.js';
import { Sender } from './sender.js';

/**
 * A connected socket with its two directions, and the close. `Connection` is its public object, which operations in
 * flight do not keep alive.
 */
export class Endpoint implements ReceiverOwner, Remains {
  held: WeakRef<object> | null = null;
  readonly loop: Loop;
  #receiver: Receiver | null = null;
  #sender: Sender | null = null;
  /** The descriptor, -1 once closed. */
  fd: number;
  /** SO_LINGER in seconds; null is the kernel's default. */
  linger: number | null = null;
  /** The peer, see `peerNameOf`: read while the kernel knows it. */
  readonly #peer: string;
  /** Who initiated the connection: this side, the peer, or another program. */
  direction: '->' | '<-' | '<->' = '<->';
  readonly #onClosed: (() => void) | undefined;
  #closing: Promise<void> | null = null;
  #shutdown: Promise<void> | null = null;
  #idle: IdleTimer | null = null;
  #lingering: LingeringClose | null = null;
  #watch: PeerWatch | null = null;
  /** The signal for callers that watch the peer after the connection has ended. */
  #finished: AbortSignal | null = null;
  /** Whether this side has ended, and whether a read has found the end of the other. */
  #ended = false;
  #peerEnded = false;
  /** Whether waiting calls keep the process alive. */
  #referenced = true;
  /** Whether it is closing by itself: reads then still return the end, or the failure. */
  #endedItself = false;

  constructor(loop: Loop, fd: number, onClosed: (() => void) | undefined) {
    this.loop = loop;
    this.fd = fd;
    this.#peer = peerNameOf(fd);
    this.#onClosed = onClosed;
    // Created here, where a failure can be reported.
    ReceiveBuffers.of(loop);
  }

  /** Accepts descriptors too, from the first read on. */
  receiveFds(): void {
    this.receiver.fds = new FdReceiver(this.loop, this.fd);
  }

  get kind(): string {
    return 'Connection';
  }

  /** The two directions, each created on first use: a program may hold very many connections. */
  get receiver(): Receiver {
    this.#receiver ??= this.#adopt(new Receiver(this.loop, this.fd, this));
    return this.#receiver;
  }

  get sender(): Sender {
    this.#sender ??= this.#adopt(new Sender(this.loop, this.fd, this.#peer));
    return this.#sender;
  }

  /** The peer's address for errors. */
  get peerDetails(): ErrorDetails | undefined {
    return detailsOf(this.#peer);
  }

  get madeSender(): Sender | null {
    return this.#sender;
  }

  #adopt<T extends Operation>(direction: T): T {
    direction.referenced = this.#referenced;
    direction.subject = this;
    return direction;
  }

  /** Bytes received. */
  get bytesRead(): number {
    return this.#receiver === null ? 0 : this.#receiver.bytesRead;
  }

  /** Bytes accepted by the kernel. */
  get bytesWritten(): number {
    return this.#sender === null ? 0 : this.#sender.bytesWritten;
  }

  /** A number that changes whenever bytes are transferred, also those of a write that is not complete. */
  get moved(): number {
    const sender = this.#sender;
    const moved = this.bytesRead + this.bytesWritten;
    return sender === null || sender.idle || this.fd < 0 ? moved : moved + takenByPeer(this.fd);
  }

  /** Bytes written that the kernel has not taken. */
  get bufferedAmount(): number {
    return this.#sender === null ? 0 : this.#sender.bufferedAmount;
  }

  /** Whether it is closed or closing. */
  get closed(): boolean {
    return this.#closing !== null;
  }

  /** Its state, in a word or two. */
  get state(): string {
    if (this.fd < 0) return 'closed';
    const receiver = this.#receiver;
    if (receiver?.error) return `failed ${(receiver.error as NodeJS.ErrnoException).code}`;
    if (this.#closing !== null) return 'closing';
    if (this.#ended) return 'ended';
    return receiver?.finished ? 'ended by the peer' : 'open';
  }

  /** Waiting work: unread bytes, and readers. */
  get waiting(): { bytes: number; readers: number } {
    const receiver = this.#receiver;
    return receiver === null
      ? { bytes: 0, readers: 0 }
      : { bytes: receiver.unreadBytes, readers: receiver.waiting };
  }

  get referenced(): boolean {
    return this.#referenced;
  }

  get object(): object | undefined {
    return userOf(this);
  }

  /** The peer's address. */
  get address(): SocketAddress | undefined {
    return addressOf(this.#peer);
  }

  get place(): string | undefined {
    const { address } = this;
    return address === undefined ? undefined : `with ${placeOf(address)}`;
  }

  onEnd(): void {
    this.sender.peerEnds();
  }

  onPeerEnded(): void {
    this.#peerEnded = true;
    if (this.sender.piped) this.watchPeer();
    this.#endItself();
  }

  onFailed(error: Error): void {
    // In both directions: a pipe that leads here must not need bytes to learn of it.
    this.sender.endPipes(error);
    this.sender.abort(systemError(EPIPE, 'write', this.peerDetails));
    failed(this, error);
    this.#watch?.finish(error);
    this.#endItself();
  }

  /**
   * A peer that only receives may disconnect without a read or a write that notices it: ends pipes that lead here then.
   */
  watchPeer(): void {
    if (this.fd >= 0 && !this.loop.closing) this.#watchNow();
  }

  /** A pipe leads here: checks whether a receive reports the peer's disconnect. One may start in this turn. */
  watchWhilePiped(): void {
    queueMicrotask(() => {
      if (this.sender.piped && !this.receiver.armed && !this.closed) this.watchPeer();
    });
  }

  #watchNow(): PeerWatch {
    this.#watch ??= new PeerWatch(this.loop, this.fd, this.#referenced, failed => this.#onGone(failed));
    this.#watch.subject = this;
    return this.#watch;
  }

  /** The poll reports that the connection has failed, or that both sides have ended. */
  #onGone(failed: boolean): void {
    const watch = this.#watch!;
    // A peer of a Unix socket that closes also hangs up. A pipe need not fail for that: perhaps nothing more will be
    // sent. It fails if the peer had ended its side before, to receive the rest.
    if (failed || watch.hasEnded || !this.receiver.finished) {
      this.sender.endPipes(systemError(EPIPE, 'write', this.peerDetails));
    }
    const ended = !failed && this.sender.ended;
    watch.finish(ended ? closedError('The connection') : systemError(ECONNRESET, 'poll', this.peerDetails));
  }

  /** Resolves when nothing more will come from the peer. */
  async peerEnded(options: WaitOptions | undefined): Promise<void> {
    if (this.fd >= 0 && !this.loop.closing && !this.receiver.finished) await this.#watchNow().ended(options);
  }

  /** Resolves when the connection has ended. */
  async over(options: WaitOptions | undefined): Promise<void> {
    if (this.fd >= 0 && !this.loop.closing && this.receiver.error === null)
      await this.#watchNow().over(options);
  }

  /** Aborted when the connection has ended. */
  get signal(): AbortSignal {
    if (this.#watch !== null) return this.#watch.signal;
    if (this.fd >= 0 && !this.loop.closing && this.receiver.error === null) return this.#watchNow().signal;
    this.#finished ??= AbortSignal.abort(this.receiver.error ?? closedError('The connection'));
    return this.#finished;
  }

  /** Closes the socket by itself: both sides have ended, or it has failed. */
  #endItself(): void {
    if (this.#closing !== null) return;
    if (this.receiver.error === null && !(this.#ended && this.#peerEnded)) return;
    this.#endedItself = true;
    this.#closing = this.drain().then(() => this.#release());
  }

  /** The user has closed it, too. */
  #refuseReads(): void {
    if (!this.#endedItself) return;
    this.#endedItself = false;
    this.receiver.stop(NOTHING);
  }

  /** Makes waiting calls reject when no byte has been transferred for `ms` milliseconds; 0 disables it. */
  setTimeout(ms: number): void {
    this.#idle?.stop();
    this.#idle = ms === 0 ? null : idleTimerOf(this, ms);
  }

  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    this.#receiver?.setReferenced(referenced);
    this.#sender?.setReferenced(referenced);
    this.#watch?.setReferenced(referenced);
  }

  /** Waits until the kernel has taken all written data. */
  async drain(options?: WaitOptions): Promise<void> {
    const { sender } = this;
    if (sender.idle) return;
    const waiter = new Waiter<void>('write', () => sender.forgetDrained(done));
    const done = (): void => {
      waiter.settled();
      waiter.resolve();
    };
    sender.whenDrained(done);
    return waiter.wait(options, this.#referenced);
  }

  /** Sends written data, then ends this side. */
  shutdown(): Promise<void> {
    if (this.#closing !== null && !this.#endedItself) return Promise.reject(closedError('The connection'));
    this.sender.end();
    this.#shutdown ??= new Promise((resolve, reject) => {
      // In call order: a following close comes after it.
      this.sender.whenDrained(() => {
        try {
          this.#endWriting();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    return this.#shutdown;
  }

  #endWriting(): void {
    if (this.sender.error !== null) throw this.sender.error;
    // Not as an operation, which for a worker might run after another file has the descriptor. It never waits.
    const failed = libc().shutdown(this.fd, SHUT_WR);
    if (failed < 0) throw kept(systemError(failed, 'shutdown', this.peerDetails));
    this.#ended = true;
    this.#endItself();
  }

  /** Sends written data, then closes. */
  close(): Promise<void> {
    this.#closing ??= this.#finish(false);
    this.#refuseReads();
    return this.#closing;
  }

  /** Closes at once, and the peer sees a reset. */
  reset(): Promise<void> {
    if (this.fd >= 0 && !this.loop.closed) setResetOnClose(this.fd);
    return this.abandon();
  }

  /**
   * Closes without sending what is still here: the peer gets what the kernel has taken, then the end, as when Node
   * destroys a socket.
   */
  abandon(): Promise<void> {
    if (this.#closing === null) this.#closing = this.#finish(true);
    else if (this.fd >= 0) {
      if (!this.sender.idle) this.sender.abort();
      this.#lingering?.cut();
    }
    this.#refuseReads();
    return this.#closing;
  }

  #finish(drop: boolean): Promise<void> {
    const { sender, receiver } = this;
    sender.end();
    if (this.loop.closed) {
      if (!drop && !receiver.finished) endNow(this.fd);
      // Descriptors that were received and not taken are closed.
      receiver.stop(NOTHING);
      return this.#release();
    }
    // A socket that is not connected yet can neither be shut down nor received from.
    const unconnected = sender.deferred && sender.bytesWritten === 0;
    const atOnce = drop || this.linger === 0 || unconnected || sender.error !== null;
    const over = receiver.finished || (atOnce && receiver.slot < 0);
    // The common case: the peer has ended, and everything is sent; or the connection has failed.
    if (sender.idle && over && (sender.error === null || receiver.error !== null)) {
      receiver.stop(NOTHING);
      return this.#release();
    }
    return atOnce ? this.#finishAtOnce(drop) : this.#finishGently();
  }

  async #finishAtOnce(drop: boolean): Promise<void> {
    const stopped = new Promise<void>(resolve => this.receiver.stop(resolve));
    if (drop) this.sender.abort();
    await this.drain();
    await stopped;
    await this.#end(drop || this.sender.error === null);
  }

  async #finishGently(): Promise<void> {
    const sent = await new Promise<boolean>(resolve => {
      const { fd, receiver, sender, linger } = this;
      this.#lingering = new LingeringClose(fd, receiver, sender, linger, resolve);
    });
    if (sent && this.loop.closing && !this.receiver.finished) endNow(this.fd);
    await this.#end(sent);
  }

  #end(sent: boolean): Promise<void> {
    // A peer must not mistake a part of the written data for all of it.
    if (!sent) setResetOnClose(this.fd);
    return this.#release();
  }

  #release(): Promise<void> {
    // Only now: until here the timeout also limits how long a close waits for a peer that does not read.
    this.#idle?.stop();
    connectionClosed(this);
    const { fd } = this;
    this.fd = -1;
    forget(this);
    const closed = this.#watch === null ? this.#closeSocket(fd) : this.#closeWatched(fd, this.#watch);
    return this.#onClosed === undefined ? closed : closed.then(this.#onClosed);
  }

  #closeSocket(fd: number): Promise<void> {
    return closeSocket(this.loop, fd, this.linger !== null && this.linger > 0);
  }

  /** Closes the socket after its poll has ended: the kernel keeps a polled socket open. */
  async #closeWatched(fd: number, watch: PeerWatch): Promise<void> {
    watch.finish(closedError('The connection'));
    await new Promise<void>(resolve => watch.stop(resolve));
    await this.#closeSocket(fd);
  }
}

const NOTHING = (): void => {};
