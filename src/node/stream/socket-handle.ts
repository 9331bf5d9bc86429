import { AsyncResource } from 'node:async_hooks';
import type { Loop } from '../../loop/loop.js';
import { EINVAL } from '../../sys/abi/errno.js';
import { SHUT_RDWR, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../../sys/abi/sockets.js';
import { libc } from '../../sys/libc/libc.js';
import { isMainThread } from '../../sys/main-thread.js';
import { makeNative } from '../native-twin.js';
import type { NativeClass, NativeHandle, NativeListener, Request } from '../natives.js';
import { RequestDone } from '../request-done.js';
import { AcceptOperation } from './accept-operation.js';
import { ConnectOperation } from './connect-operation.js';
import { StreamHandle } from './stream-handle.js';

/** The async context of the program's start. */
const NO_CALL = new AsyncResource('uasync.accept');

const providers = new Map<NativeClass, number>();

/** The listening handles of this thread, by descriptor. */
const listening = new Map<number, SocketHandle>();

/** A child process gets a descriptor: if it is that of a server, both accept from then on. */
export function share(fd: number): void {
  listening.get(fd)?.[makeNative]();
}

/** One for all handles: a closure for each would take memory. */
function nothing(): void {}

/** The common part of TCP and Unix sockets, except their bytes: listening and connecting. */
export abstract class SocketHandle extends StreamHandle {
  /** Set by Node on a listening handle: gets a handle for each connection. */
  onconnection: (status: number, handle?: StreamHandle | NativeHandle) => void = nothing;
  /** A failed `bind` that is reported later, as in libuv. */
  protected delayedError = 0;
  readonly #listens: boolean;
  /** Whether the socket was created here. Other processes may listen on one that was adopted. */
  #isOwn = false;
  #accepting: AcceptOperation | null = null;
  #backlog = 0;
  #connecting: ConnectOperation | null = null;

  /** @param type how async_hooks name it. @param trigger see `StreamHandle`. */
  constructor(loop: Loop, type: string, listens: boolean, trigger: number | undefined) {
    super(loop, type, trigger);
    this.#listens = listens;
  }

  override get kind(): string {
    return this.#listens ? 'Server' : 'Socket';
  }

  /** Node's own class of such handles, and its constructor's kinds. */
  protected abstract get native(): { Native: NativeClass; kinds: Record<string, number> };

  protected override newNative(): NativeHandle {
    const { Native, kinds } = this.native;
    return new Native((this.#listens ? kinds.SERVER : kinds.SOCKET)!);
  }

  /** The number of Node's own handles among async resources. */
  override getProviderType(): number {
    const { Native } = this.native;
    let provider = providers.get(Native);
    if (provider === undefined) {
      const native = this.newNative();
      provider = native.getProviderType();
      native.close();
      providers.set(Native, provider);
    }
    return provider;
  }

  /** Creates the socket if there is none yet; 0 or a negative errno. */
  protected openSocket(family: number): number {
    if (this.fd >= 0) return 0;
    // A non-blocking listening socket polls: see `AcceptOperation`.
    const type = SOCK_STREAM | SOCK_CLOEXEC | (this.#listens && !isMainThread ? SOCK_NONBLOCK : 0);
    const fd = libc().socket(family, type, 0);
    if (fd >= 0) {
      this.adopt(fd);
      this.#isOwn = true;
    }
    return Math.min(fd, 0);
  }

  /** A handle for an accepted connection. */
  protected abstract accepted(loop: Loop): StreamHandle;

  listen(backlog: number): number {
    if (this.delayedError !== 0) return this.delayedError;
    if (this.fd < 0) return EINVAL;
    const failed = libc().listen(this.fd, backlog);
    if (failed < 0) return failed;
    this.#accepting ??= new AcceptOperation(this.loop, this, result => this.#onAccepted(result));
    this.#accepting.arm();
    this.#backlog = backlog;
    listening.set(this.fd, this);
    return 0;
  }

  #onAccepted(result: number): void {
    if (this.closing) {
      if (result >= 0) libc().close(result);
      return;
    }
    // As in Node, a connection does not belong to a call of the server's.
    const handle = result < 0 ? undefined : NO_CALL.runInAsyncScope(this.accepted, this, this.loop);
    handle?.adopt(result);
    this.scope.runInAsyncScope(this.onconnection, this, Math.min(result, 0), handle);
  }

  /** @param name a socket address in bytes. */
  protected connectTo(request: Request, type: string, name: Uint8Array): number {
    const done = new RequestDone(this.loop, type, request, [this, request, true, true]);
    if (this.delayedError !== 0) {
      done.settle(this.delayedError);
      return 0;
    }
    const connecting = new ConnectOperation(this.loop, this, done);
    this.#connecting = connecting;
    connecting.run(this.fd, name);
    return 0;
  }

  protected override setReferenced(referenced: boolean): void {
    super.setReferenced(referenced);
    if (this.#accepting?.yields) {
      if (referenced) this.twin!.ref();
      else this.twin!.unref();
    } else if (this.#accepting !== null) this.loop.setReferenced(this.#accepting, referenced);
    if (this.#connecting !== null) this.loop.setReferenced(this.#connecting, referenced);
  }

  protected override cancelOthers(then: () => void): void {
    const connecting = this.#connecting;
    if (connecting !== null && connecting.slot >= 0) {
      connecting.onEnded = then;
      this.loop.cancelForSure(connecting);
    } else if (this.#accepting !== null) {
      listening.delete(this.fd);
      // The port is free at once, although the ring uses the socket until the cancellation. A socket that another process
      // has too continues there.
      if (this.#isOwn && this.twin === null) libc().shutdown(this.fd, SHUT_RDWR);
      this.#accepting.stop(then);
    } else then();
  }

  /** The other process accepts too. What is in the queue when this server closes is for that one, as libuv sees to. */
  protected override yieldTo(twin: NativeHandle): void {
    super.yieldTo(twin);
    const accepting = this.#accepting;
    if (accepting === null || accepting.yields) return;
    accepting.yield();
    const listening = twin as NativeListener;
    listening.onconnection = (status, handle) => this.onconnection(status, handle);
    listening.listen(this.#backlog);
    if (!this.referenced) listening.unref();
  }
}
