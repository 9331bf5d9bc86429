import { AsyncResource } from 'node:async_hooks';
import { isUint8Array } from 'node:util/types';
import { own } from '../../loop/closing/owned-descriptors.js';
import type { Loop } from '../../loop/loop.js';
import type { Subject } from '../../loop/operation/pending.js';
import { setImmediate } from '../../loop/real-timers.js';
import { localAddress, remoteAddress } from '../../net/address/addresses.js';
import type { Destination } from '../../net/datagram/destination.js';
import { inetDestination } from '../../net/datagram/destination-cache.js';
import { flushAtExit } from '../../net/datagram/gso-batch.js';
import type { Datagram } from '../../net/datagram/received.js';
import { DatagramSender } from '../../net/datagram/sender.js';
import { EBADF, EEXIST, EINVAL, EMSGSIZE, ENOTCONN } from '../../sys/abi/errno.js';
import {
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../../sys/abi/sockets.js';
import { SOCKADDR_IN } from '../../sys/abi/structs.js';
import { libc } from '../../sys/libc/libc.js';
import { isIPv4, isIPv6 } from '../../sys/socket/ip.js';
import { AF_INET, AF_INET6 } from '../../sys/socket/sockaddr.js';
import { type AddressOut, inetName, putAddress } from '../inet-names.js';
import { makeNative, type Twinned, twinOf } from '../native-twin.js';
import { bindings, type NativeHandle, ownerSymbol, type Request } from '../natives.js';
import { RequestDone } from '../request-done.js';
import { LateDatagram } from './late-datagram.js';
import { UdpOptions } from './udp-options.js';
import { UdpReceiver } from './udp-receiver.js';

/** libuv's flags of `bind`. */
const IPV6_ONLY = 1;
const REUSE_ADDRESS = 4;
const REUSE_PORT = 64;
const ALL_FLAGS = IPV6_ONLY | REUSE_ADDRESS | REUSE_PORT;

/** The maximum datagram size: 16 bits, less the headers. */
const LENGTH_MAX = 65507;
const LENGTH6_MAX = 65527;
const PORT_MAX = 0xffff;
const EAFNOSUPPORT = -97;
/** The number of arguments of `send` to an address; a connected socket has two fewer. */
const SEND_TO_ARGUMENTS = 6;
/** Descriptors of this thread's handles: libuv refuses to open one twice. */
const taken = new Set<number>();
/** The address that disconnects: of the family AF_UNSPEC. connect(2) */
const NO_NAME = new Uint8Array(SOCKADDR_IN.size);
const NO_BYTES = Buffer.alloc(0);

/**
 * Arguments of a native `send`: the request, the parts, their number, port, address, and whether there is a callback.
 */
type SendArguments = [request: Request, list: ArrayBufferView[], count: number, ...rest: unknown[]];

/** The callbacks of `dgram` for datagrams and errors. */
type OnMessage = (length: number, handle: object, bytes?: Buffer, sender?: object) => void;

/**
 * Replaces Node's native `UDP`. IPv6 sockets get `bind6`, `connect6` and `send6` as `bind`, `connect` and `send`.
 */
export class UdpHandle extends UdpOptions implements Subject, Twinned {
  readonly kind = 'Socket';
  readonly loop: Loop;
  /** The descriptor, -1 before it is opened and once it is closed. */
  fd = -1;
  referenced = true;
  /** Set by the socket. */
  onmessage: OnMessage = nothing;
  onerror: (...args: unknown[]) => void = nothing;
  lookup: unknown = undefined;
  readonly #scope = new AsyncResource('UDPWRAP');
  #family = 0;
  #receiver: UdpReceiver | null = null;
  #sender: DatagramSender | null = null;
  #closing = false;
  #twin: NativeHandle | null = null;
  /** The number of datagrams that the kernel has not taken, and their bytes. */
  #queued = 0;
  #queuedBytes = 0;
  readonly #uncalled = new LateDatagram(this, null);

  constructor(loop: Loop) {
    super();
    this.loop = loop;
  }

  /** The socket of this handle. */
  get object(): object | undefined {
    return (this as unknown as Record<symbol, object>)[ownerSymbol()!];
  }

  getAsyncId(): number {
    return this.#scope.asyncId();
  }

  getProviderType(): number {
    const native = new (bindings().UDP)();
    const provider = native.getProviderType();
    native.close();
    return provider;
  }

  // --- Addresses ----------------------------------------------------------------------------------

  #open(family: number): number {
    if (this.fd >= 0) return 0;
    const fd = libc().socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fd;
    this.#adopt(fd, family);
    return 0;
  }

  #adopt(fd: number, family: number): void {
    this.fd = fd;
    taken.add(fd);
    this.#family = family;
    this.#sender = new DatagramSender(this.loop, fd, false);
    this.#sender.subject = this;
    this.#sender.referenced = this.referenced;
  }

  /** Takes ownership of a socket. */
  open(fd: number): number {
    if (taken.has(fd)) return EEXIST;
    const address = localAddress(fd);
    if (address === undefined || 'path' in address) return EINVAL;
    own(fd);
    this.#adopt(fd, address.family === 'IPv6' ? AF_INET6 : AF_INET);
    return 0;
  }

  bind(address: string, port: number, flags?: number): number {
    if (!isOurs(this)) return nativeCall(this, 'bind', [address, port, flags]);
    return isIPv4(address) ? this.#bind(AF_INET, address, port, flags ?? 0) : EINVAL;
  }

  bind6(address: string, port: number, flags?: number): number {
    if (!isOurs(this)) return nativeCall(this, 'bind6', [address, port, flags]);
    return isIPv6(address) ? this.#bind(AF_INET6, address, port, flags ?? 0) : EINVAL;
  }

  #bind(family: number, address: string, port: number, flags: number): number {
    // As in a native handle: `bind(callback)` passes a function as the port.
    const name = inetName(address, (port >>> 0) & PORT_MAX);
    const isKnown = (flags & ~ALL_FLAGS) === 0 && (family === AF_INET6 || !(flags & IPV6_ONLY));
    if (name === null || !isKnown) return EINVAL;
    let failed = this.#open(family);
    if (failed >= 0 && flags & REUSE_ADDRESS) failed = this.set(SOL_SOCKET, SO_REUSEADDR, 1);
    if (failed >= 0 && flags & REUSE_PORT) failed = this.set(SOL_SOCKET, SO_REUSEPORT, 1);
    if (failed >= 0 && flags & IPV6_ONLY) failed = this.set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (failed >= 0) failed = libc().bind(this.fd, name);
    // As in libuv.
    return failed === EAFNOSUPPORT ? EINVAL : Math.min(failed, 0);
  }

  /** Creates the socket if there is none yet, bound to any port. */
  protected override bound(): number {
    if (this.fd >= 0) return 0;
    return this.isIPv6 ? this.bind6('::', 0) : this.#bind(AF_INET, '0.0.0.0', 0, 0);
  }

  protected override get isIPv6(): boolean {
    if (this.#family !== 0) return this.#family === AF_INET6;
    return Object.hasOwn(this, 'bind');
  }

  connect(address: string, port: number): number {
    return isIPv4(address) ? this.#connect(AF_INET, address, port) : EINVAL;
  }

  connect6(address: string, port: number): number {
    return isIPv6(address) ? this.#connect(AF_INET6, address, port) : EINVAL;
  }

  #connect(family: number, address: string, port: number): number {
    const name = inetName(address, port);
    if (name === null) return EINVAL;
    let failed = this.#open(family);
    if (failed < 0) return failed;
    // Datagrams that were sent before keep their destination.
    this.#sender!.invalidate();
    failed = libc().connect(this.fd, name);
    if (failed < 0) return failed;
    this.#sender!.peer = inetDestination(address, port);
    return 0;
  }

  disconnect(): number {
    if (this.fd < 0) return EBADF;
    this.#sender!.invalidate();
    const failed = libc().connect(this.fd, NO_NAME);
    if (failed >= 0 || failed === EAFNOSUPPORT) this.#sender!.peer = null;
    return failed === EAFNOSUPPORT ? 0 : Math.min(failed, 0);
  }

  getsockname(out: AddressOut): number {
    return this.fd < 0 ? EBADF : putAddress(out, localAddress(this.fd), EINVAL);
  }

  getpeername(out: AddressOut): number {
    return this.fd < 0 ? EBADF : putAddress(out, remoteAddress(this.fd), ENOTCONN);
  }

  // --- Receiving ----------------------------------------------------------------------------------

  recvStart(): number {
    if (this.fd < 0) return EBADF;
    this.#receiver ??= new UdpReceiver(this.loop, this);
    this.#receiver.start();
    return 0;
  }

  recvStop(): number {
    this.#receiver?.pause();
    return 0;
  }

  /** A datagram has arrived. */
  received({ data, address, port, family }: Datagram): void {
    if (this.#closing) return;
    const sender = { address, family, port };
    this.#scope.runInAsyncScope(this.onmessage, this, data.length, this, data, sender);
  }

  /** Receiving has failed: a negative errno. */
  failed(status: number): void {
    if (!this.#closing) this.#scope.runInAsyncScope(this.onmessage, this, status, this);
  }

  // --- Sending ------------------------------------------------------------------------------------

  /** The number of bytes and 1, if they were sent at once; 0 if they are sent later; a negative errno. */
  send(...args: SendArguments): number {
    if (!isOurs(this)) return nativeCall(this, 'send', args);
    return this.#send(AF_INET, args);
  }

  send6(...args: SendArguments): number {
    if (!isOurs(this)) return nativeCall(this, 'send6', args);
    return this.#send(AF_INET6, args);
  }

  #send(family: number, args: SendArguments): number {
    const [request, list, count, port, address] = args;
    const toAddress = args.length === SEND_TO_ARGUMENTS;
    const destination = toAddress ? destinationOf(family, address as string, port as number) : null;
    if (destination === undefined) return EINVAL;
    const failed = this.bound();
    if (failed < 0) return failed;
    const sender = this.#sender!;
    const bytes = joined(list, count);
    const { length } = bytes;
    if (length > (family === AF_INET ? LENGTH_MAX : LENGTH6_MAX)) return EMSGSIZE;
    const sent = length === 0 ? null : sender.take(bytes, destination);
    if (sent !== null) return sent < 0 ? sent : sent + 1;
    flushAtExit(this.loop);
    this.#queued++;
    this.#queuedBytes += length;
    const hasCallback = args[args.length - 1] as boolean;
    const late = hasCallback ? this.#late(request, length) : this.#uncalled;
    sender.sendFor(late, length, bytes, destination, undefined, undefined);
    return 0;
  }

  #late(request: Request, length: number): LateDatagram {
    return new LateDatagram(this, new RequestDone(this.loop, 'UDPSENDWRAP', request, [length]));
  }

  /** A waiting datagram was sent, or abandoned. */
  left(length: number): void {
    this.#queued--;
    this.#queuedBytes -= length;
  }

  getSendQueueSize(): number {
    return this.#queuedBytes;
  }

  getSendQueueCount(): number {
    return this.#queued;
  }

  // --- Life ---------------------------------------------------------------------------------------

  ref(): void {
    this.#setReferenced(true);
  }

  unref(): void {
    this.#setReferenced(false);
  }

  hasRef(): boolean {
    return this.referenced && !this.#closing;
  }

  #setReferenced(referenced: boolean): void {
    this.referenced = referenced;
    if (this.#receiver !== null) this.loop.setReferenced(this.#receiver, referenced);
    if (this.#sender !== null) this.#sender.referenced = referenced;
  }

  [makeNative](): NativeHandle | null {
    if (this.fd < 0) return null;
    this.#twin ??= twinOf(this.fd, new (bindings().UDP)());
    return this.#twin;
  }

  /** Closes it after sending queued datagrams, as far as the kernel has room. The port is free at once. */
  close(callback?: () => void): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#twin?.close();
    const { loop } = this;
    let receives = this.#receiver !== null && !loop.closing;
    let sends = this.#sender !== null && !loop.closing;
    if (!receives && !sends) {
      this.#closed(callback);
      return;
    }
    const receiver = receives ? this.#receiver : null;
    const sender = sends ? this.#sender : null;
    const ended = (): void => {
      if (!receives && !sends) this.#closed(callback);
    };
    receiver?.stop(() => {
      receives = false;
      ended();
    });
    sender?.stop(() => {
      if (!sends) return;
      sends = false;
      ended();
    });
    // Another socket may be bound to the port in this very turn.
    if (this.fd >= 0) loop.poll();
  }

  #closed(callback: (() => void) | undefined): void {
    const { fd } = this;
    this.fd = -1;
    taken.delete(fd);
    if (fd >= 0) libc().close(fd);
    if (callback === undefined) this.#scope.emitDestroy();
    else {
      setImmediate(() => {
        this.#scope.runInAsyncScope(callback, this);
        this.#scope.emitDestroy();
      });
    }
  }
}

function nothing(): void {}

/**
 * Whether the handle is ours: a socket bound to another handle passes that handle's methods `bind` and `send`, which
 * may be native.
 */
function isOurs(handle: UdpHandle): boolean {
  return handle instanceof UdpHandle;
}

function nativeCall(handle: object, name: 'bind' | 'bind6' | 'send' | 'send6', args: unknown[]): number {
  const { [name]: call } = bindings().UDP.prototype as Record<string, (...args: unknown[]) => number>;
  return call!.apply(handle, args);
}

/** The destination of a datagram; undefined for an address that the socket cannot send to. */
function destinationOf(family: number, address: string, port: number): Destination | undefined {
  try {
    const destination = inetDestination(address, port);
    return destination?.bytes[0] === family ? destination : undefined;
  } catch {
    return undefined;
  }
}

/** The parts of a datagram, concatenated. One that was transferred away has no bytes, as in Node. */
function joined(list: ArrayBufferView[], count: number): Uint8Array {
  const [first] = list;
  if (count === 1 && isUint8Array(first)) return first.length === 0 ? NO_BYTES : first;
  const parts = list.slice(0, count).map(part => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
