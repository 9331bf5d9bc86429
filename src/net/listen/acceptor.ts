/** `Acceptor`: the accept operation of a listening socket, and the connections that it has accepted. */

import { closeSocket } from '../../loop/closing/close.js';
import { own } from '../../loop/closing/owned-descriptors.js';
import type { Loop } from '../../loop/loop.js';
import { Hold } from '../../loop/operation/active.js';
import { hasMore } from '../../loop/operation/completion.js';
import { Operation } from '../../loop/operation/operation.js';
import { perLoop } from '../../loop/per-loop.js';
import { clearTimeout, setTimeout } from '../../loop/real-timers.js';
import { Waiter, type WaitOptions } from '../../loop/waiting/waiter.js';
import { EAGAIN, ECANCELED } from '../../sys/abi/errno.js';
import { POLLIN } from '../../sys/abi/flags.js';
import { closedError, errorFrom, kept, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import type { SocketAddress, UnixAddress } from '../../sys/socket/sockaddr.js';
import { localAddress, placeOf } from '../address/addresses.js';
import { accepted } from '../socket/diagnostics.js';
import { forget, type Remains, userOf } from '../socket/forgotten.js';
import type { SocketFile } from '../socket/socket-file.js';
import { Connection } from '../stream/connection.js';
import { isExhausted, isGone, PAUSE_MS } from './accept-errors.js';

/** The maximum number of accepted connections that wait for `accept`; others stay in the kernel's backlog. */
const UNDELIVERED_MAX = 256;

/** The maximum number of connections to accept in a row. */
const BURST = 64;

/** The acceptors of a loop: nothing is in flight for one that is full, whose calls would wait for ever once it closes. */
const acceptorsOf = perLoop(loop => {
  const acceptors = new Set<Acceptor>();
  loop.onClosing(() => {
    for (const acceptor of acceptors) acceptor.loopClosing();
  });
  return acceptors;
});

/** @internal What `listen` knows about a socket. */
export interface ListenerSetup {
  /** The socket file, which is removed when it closes. */
  file?: SocketFile | null | undefined;
  /** The Unix socket's path as the caller passed it. */
  path?: string | undefined;
  maxConnections?: number | undefined;
  receiveFds?: boolean | undefined;
}

/**
 * A listening socket with its multishot accept, and the accepted connections that wait. `Listener` is its public
 * object, which operations in flight do not keep alive.
 *
 * On a non-blocking socket, which a worker's own sockets are, it uses a multishot poll, and accept4(2). If the kernel
 * accepts by itself, the descriptor exists before JavaScript receives it, and stays open if the worker is terminated in
 * between.
 */
export class Acceptor extends Operation implements Remains {
  held: WeakRef<object> | null = null;
  /** The descriptor, -1 once closed. */
  fd: number;
  readonly #waiting: Waiter<Connection>[] = [];
  readonly #accepted: number[] = [];
  readonly #max: number;
  /** Whether it polls and accepts by system calls. */
  readonly #polls: boolean;
  /** A Unix socket's own address, which its connections have too. */
  readonly #address: UnixAddress | undefined;
  readonly #receiveFds: boolean;
  /** Connections that were handed out and are still open. */
  #open = 0;
  #error: Error | null = null;
  #pause: NodeJS.Timeout | null = null;
  /** Keeps the process alive during a pause. */
  #hold: Hold | null = null;
  #pausing = false;
  /** Whether an attempt found no free descriptor, which has been reported. */
  #exhausted = false;
  #onStopped: (() => void) | null = null;
  /** Whether it accepts no more, but still hands out accepted connections. */
  #retired = false;
  #closing: Promise<void> | null = null;
  readonly #file: SocketFile | null;
  /** Called once it is closed. */
  onClosed: (() => void) | null = null;

  constructor(loop: Loop, fd: number, address: SocketAddress, setup: ListenerSetup) {
    super(loop);
    this.fd = fd;
    this.subject = this;
    this.#polls = libc().isNonBlocking(fd);
    this.#max = setup.maxConnections ?? Number.POSITIVE_INFINITY;
    this.#address = 'path' in address ? address : undefined;
    this.#file = setup.file ?? null;
    this.#receiveFds = setup.receiveFds ?? false;
    acceptorsOf(loop).add(this);
  }

  override get kind(): string {
    return 'Listener';
  }

  get object(): object | undefined {
    return userOf(this);
  }

  /** The number of accepted connections and of calls that wait. */
  get waiting(): { accepted: number; calls: number } {
    return { accepted: this.#accepted.length, calls: this.#waiting.length };
  }

  /** The number of open connections, if they are counted. */
  get open(): number {
    return this.#open;
  }

  get state(): string {
    if (this.#closing !== null) return this.fd < 0 ? 'closed' : 'closing';
    return this.#pause === null ? 'open' : 'pausing: no descriptor is free';
  }

  get closed(): boolean {
    return this.#closing !== null;
  }

  get place(): string | undefined {
    const address = this.#address ?? localAddress(this.fd);
    return address === undefined ? undefined : `on ${placeOf(address)}`;
  }

  override get syscall(): string {
    return 'accept';
  }

  accept(options: WaitOptions | undefined): Promise<Connection> {
    const waiter = new Waiter<Connection>('accept', gone => {
      this.#waiting.splice(this.#waiting.indexOf(gone), 1);
    });
    const promise = waiter.wait(options, this.referenced);
    this.#waiting.push(waiter);
    this.#serve();
    this.arm();
    return promise;
  }

  /** Whether it keeps the process alive, with the timeouts of its calls. */
  setReferenced(referenced: boolean): void {
    this.loop.setReferenced(this, referenced);
    for (const waiter of this.#waiting) waiter.setReferenced(referenced);
    if (this.#pause === null) return;
    if (referenced) {
      this.#pause.ref();
      this.#hold!.begin();
    } else {
      this.#pause.unref();
      this.#hold!.end();
    }
  }

  arm(): void {
    if (this.slot >= 0 || this.#error !== null || this.#pause !== null) return;
    if (this.#full() || this.#retired) return;
    const sqe = this.loop.start(this);
    if (this.#polls) sqe.pollMultishot(this.fd, POLLIN);
    else sqe.multishotAccept(this.fd);
  }

  /** Nothing that is not in flight will complete. */
  loopClosing(): void {
    if (this.slot >= 0) return;
    this.#error ??= closedError('The loop');
    this.#serve();
  }

  /** Whether accepting is paused. */
  #full(): boolean {
    const waiting = this.#accepted.length;
    return waiting >= UNDELIVERED_MAX || this.#open + waiting >= this.#max;
  }

  readonly #onClosed = (): void => {
    this.#open--;
    if (this.loop.closing) return;
    this.#serve();
    this.arm();
  };

  complete(res: number, flags: number): void {
    if (this.#polls && res >= 0) this.#take();
    else this.#note(res);
    this.#serve();
    if (hasMore(flags)) {
      if (!this.#pausing && (this.#full() || this.#error !== null)) {
        this.#pausing = true;
        this.loop.cancel(this);
      }
      return;
    }
    this.#pausing = false;
    if (this.loop.closing) {
      this.#error ??= closedError('The loop');
      this.#serve();
    }
    if (this.#onStopped !== null) this.#stopped();
    else this.arm();
  }

  /** Records a result of accept(2); returns whether there may be more. */
  #note(res: number): boolean {
    if (res >= 0) {
      if (!this.#polls) own(res);
      this.#accepted.push(res);
      return true;
    }
    if (isExhausted(res)) this.#rest();
    else if (isGone(res)) return res !== EAGAIN;
    else if (res !== ECANCELED) this.#error ??= kept(systemError(res, 'accept'));
    return false;
  }

  /** Accepts waiting connections. */
  readonly #take = (): void => {
    if (this.#error !== null || this.#closing !== null || this.#pause !== null || this.loop.closing) return;
    for (let i = 0; i < BURST; i++) {
      if (this.#full() || !this.#note(libc().accept(this.fd))) return;
    }
    // The poll does not report connections that are there already.
    this.loop.soon(() => {
      this.#take();
      this.#serve();
    });
  };

  /** No descriptor is free: trying again at once would spin. */
  #rest(): void {
    if (!this.#exhausted) {
      this.#exhausted = true;
      process.emitWarning('No file descriptor is free: a listener pauses', 'UasyncWarning', 'UASYNC_EMFILE');
    }
    this.#hold ??= new Hold('Listener', 'a free descriptor', () => this.object);
    if (this.referenced) this.#hold.begin();
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.#hold?.end();
      if (this.loop.closing) return;
      if (this.#polls && this.slot >= 0) this.#take();
      else this.arm();
      this.#serve();
    }, PAUSE_MS);
    if (!this.referenced) this.#pause.unref();
  }

  #serve(): void {
    if (this.#retired && this.slot < 0 && this.#accepted.length === 0) {
      this.#error ??= closedError('The listener');
    }
    while (this.#waiting.length !== 0) {
      const fd = this.#open < this.#max ? this.#accepted.shift() : undefined;
      if (fd === undefined && this.#error === null) return;
      const waiter = this.#waiting.shift()!;
      waiter.settled();
      if (fd === undefined) {
        waiter.fail(errorFrom(this.#error!));
        continue;
      }
      waiter.resolve(this.#connection(fd));
    }
  }

  #connection(fd: number): Connection {
    const limited = this.#max !== Number.POSITIVE_INFINITY;
    if (limited) this.#open++;
    const connection = new Connection(this.loop, fd, limited ? this.#onClosed : undefined);
    connection.remains.direction = '<-';
    accepted(connection, this);
    if (this.#address !== undefined) connection.setLocalAddress(this.#address);
    if (this.#receiveFds) connection.remains.receiveFds();
    return connection;
  }

  /** Stops accepting: waiting calls reject, and connections that were not handed out are closed. */
  close(): Promise<void> {
    if (this.#closing === null) this.#error = closedError('The listener');
    else this.#drop();
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  /** Stops accepting, but hands out accepted connections; calls that still wait then reject. */
  retire(): Promise<void> {
    this.#retired ||= this.#closing === null;
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  /** Hands out no more, and closes accepted connections. */
  #drop(): void {
    this.#error ??= closedError('The listener');
    for (const fd of this.#accepted.splice(0)) closeSocket(this.loop, fd).catch(() => {});
    this.#serve();
  }

  async #finish(): Promise<void> {
    acceptorsOf(this.loop).delete(this);
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#hold?.end();
    await new Promise<void>(resolve => {
      this.#onStopped = resolve;
      if (this.slot >= 0) this.loop.cancel(this);
      else this.#stopped();
    });
    this.#file?.remove();
    const { fd } = this;
    this.fd = -1;
    forget(this);
    await closeSocket(this.loop, fd);
    this.onClosed?.();
  }

  #stopped(): void {
    const onStopped = this.#onStopped!;
    this.#onStopped = null;
    if (this.#error === null) this.#serve();
    else this.#drop();
    onStopped();
  }
}
