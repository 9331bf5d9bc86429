/** The kernel's ring and the software ring, each with sockets and memory of its own, for programs that both run. */
import { openSync } from 'node:fs';
import { BufRing, type Message, Ring } from 'uasync/ring';
import type { Sqe } from '../../src/ring/sqe/index.js';
import { Group } from '../../src/soft/groups.js';
import { SoftRing } from '../../src/soft/soft-ring.js';
import { SO_LINGER, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET } from '../../src/sys/abi/sockets.js';
import { NR_FCNTL, NR_RECVFROM, NR_SCHED_SETAFFINITY, NR_SENDTO } from '../../src/sys/abi/syscall-numbers.js';
import { libc } from '../../src/sys/libc/libc.js';
import { Mapping } from '../../src/sys/memory/mapping.js';
import { writeSockaddr } from '../../src/sys/socket/sockaddr.js';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const MSG_DONTWAIT = 0x40;
const F_SETFL = 4;

/** struct linger: on, for no time. socket(7) */
const LINGER = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

const CQE_F_BUFFER = 1;
const CQE_F_MORE = 2;
const CQE_F_BUF_MORE = 16;
const CQE_BUFFER_SHIFT = 16;

/** Packets that follow one another until both ends of a new connection know of it. */
const HANDSHAKE = 3;

/** Rounds of a millisecond after which a timeout that is due stands behind something that waits. */
const DUE_ROUNDS = 50;

export const GROUP = 7;
export const PIECES = 8;
const BUFFERS = { entries: 8, bufferSize: 64 };
const PIECE_BUFFERS = { entries: 2, bufferSize: 256 };
/** Each operation has a page of its own. */
export const PAGE = 4096;
export const PAGES = 512;

/** More than a connection's buffers have room for: both have fixed sizes, as the kernel lets them grow otherwise. */
export const FLOOD = 1 << 20;
const SEND_BUFFER = Uint8Array.of(0, 0x40, 0, 0);
const RECEIVE_BUFFER = Uint8Array.of(0, 0, 1, 0);

/** A descriptor that is none. */
export const CLOSED = 1_000_000;

/** A completion, as both are expected to have it. */
export interface Completed {
  id: number;
  res: number;
  flags: number;
}

interface Queues {
  getSqe(): Sqe | null;
  submitAndWaitTimeout(waitNr: number, timeoutMs: number): number;
  reapQueue(sink: { onCqe(low: number, high: number, res: number, flags: number): void }): number;
  close(): void;
}

/** Buffers that receives pick from. */
interface Buffers {
  readonly bytes: Buffer;
  recycle(id: number): void;
  publish(): void;
}

function sockaddr(port: number): Buffer {
  const bytes = Buffer.alloc(128);
  return bytes.subarray(0, writeSockaddr(bytes, 0, { address: '127.0.0.1', port, family: 'IPv4' }));
}

function portOf(fd: number): number {
  const bytes = Buffer.alloc(128);
  libc().getsockname(fd, bytes, new Uint32Array([128]));
  return bytes.readUInt16BE(2);
}

/**
 * Waits until all packets that this thread has sent have arrived. Loopback delivers the packets of one CPU in order,
 * but where the machine is busy it leaves them to ksoftirqd: after the system call that sent them has returned.
 */
class Fence {
  readonly #fd = libc().socket(AF_INET, SOCK_DGRAM, 0);
  readonly #memory = Mapping.anonymous(PAGE);

  constructor() {
    new BigUint64Array(this.#memory.buffer)[0] = 1n;
    const res = libc().syscall(NR_SCHED_SETAFFINITY, 0, 8, this.#memory.address, 0, 0, 0);
    if (res < 0) throw new Error(`sched_setaffinity: ${res}`);
    libc().bind(this.#fd, sockaddr(0));
    libc().connect(this.#fd, sockaddr(portOf(this.#fd)));
  }

  pass(): void {
    for (let i = 0; i < HANDSHAKE; i++) {
      libc().syscall(NR_SENDTO, this.#fd, this.#memory.address, 1, 0, 0, 0);
      libc().syscall(NR_RECVFROM, this.#fd, this.#memory.address, 1, 0, 0, 0);
    }
  }

  close(): void {
    libc().close(this.#fd);
    this.#memory.unmap();
  }
}

/** One of the two that run a program. */
export class Side {
  readonly queues: Queues;
  readonly memory = Mapping.anonymous(PAGE * PAGES);
  readonly bytes = Buffer.from(this.memory.buffer);
  /** TCP's connections, by number: the end that operations use, and their peers. */
  readonly conns: number[] = [];
  readonly peers: number[] = [];
  /** Two datagram sockets that are connected with each other. */
  readonly datagrams: [number, number];
  readonly listener: number;
  readonly port: number;
  /** Pipes: where to read, where to write. */
  readonly pipes: [number, number][] = [];
  readonly completed: Completed[] = [];
  /** Timeouts whose time has come, and that have not completed. */
  readonly due = new Set<number>();
  /** Operations whose results are descriptors. */
  readonly accepting = new Set<number>();
  readonly groups: ReadonlyMap<number, Buffers>;
  /** The group of operations that pick a buffer. */
  readonly picking = new Map<number, number>();
  /** What the kernel touches until the end of an operation. */
  readonly messages: Message[] = [];
  /** Always ready, and nothing for epoll: /dev/null and a file. */
  readonly ready: readonly number[] = [openSync('/dev/null', 'r+'), openSync(process.execPath, 'r')];
  /** Sends of FLOOD bytes: how many they have sent when they are cancelled is not certain. */
  readonly floods = new Set<number>();
  /** Groups and ids of buffers that were used up. */
  readonly #used: [number, number][] = [];
  readonly #own: number[] = [...this.ready];
  readonly #fence = new Fence();

  constructor(queues: Queues, groups: ReadonlyMap<number, Buffers>) {
    this.queues = queues;
    this.groups = groups;
    this.listener = this.#socket(SOCK_STREAM);
    libc().bind(this.listener, sockaddr(0));
    libc().listen(this.listener, 64);
    this.port = portOf(this.listener);
    const server = this.#socket(SOCK_STREAM);
    libc().bind(server, sockaddr(0));
    libc().listen(server, 64);
    for (let i = 0; i < 4; i++) {
      const peer = this.#socket(SOCK_STREAM);
      libc().setsockopt(peer, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
      libc().connect(peer, sockaddr(portOf(server)));
      this.peers.push(peer);
      const conn = libc().accept(server);
      libc().setsockopt(conn, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
      this.conns.push(conn);
    }
    libc().close(server);
    const [a, b] = [this.#socket(SOCK_DGRAM), this.#socket(SOCK_DGRAM)];
    libc().bind(a, sockaddr(0));
    libc().bind(b, sockaddr(0));
    libc().connect(a, sockaddr(portOf(b)));
    libc().connect(b, sockaddr(portOf(a)));
    this.datagrams = [a, b];
    for (let i = 0; i < 2; i++) {
      const ends = new Int32Array(2);
      libc().pipe(ends);
      // The second one's descriptors wait.
      if (i === 1) for (const end of ends) libc().syscall(NR_FCNTL, end, F_SETFL, 0, 0, 0, 0);
      this.pipes.push([ends[0]!, ends[1]!]);
    }
  }

  #socket(type: number): number {
    const fd = libc().socket(AF_INET, type, 0);
    this.#own.push(fd);
    return fd;
  }

  /** Where the memory of operation `id` is. */
  addressOf(id: number): number {
    return this.memory.address + (id % PAGES) * PAGE;
  }

  sqe(id: number): Sqe {
    return this.queues.getSqe()!.userData(id);
  }

  /** A connection to the listener from outside. */
  connect(): void {
    const fd = this.#socket(SOCK_STREAM | SOCK_NONBLOCK);
    libc().connect(fd, sockaddr(this.port));
  }

  /** The peer of a connection sends these bytes. */
  peerSends(fd: number, length: number, fill: number): void {
    const at = this.addressOf(PAGES - 1);
    this.bytes.fill(fill, (PAGES - 1) * PAGE, (PAGES - 1) * PAGE + length);
    libc().syscall(NR_SENDTO, fd, at, length, MSG_DONTWAIT, 0, 0);
  }

  /** A peer sends no more. */
  shutdown(fd: number): void {
    libc().shutdown(fd, 1);
  }

  /** The peer of a connection resets it. */
  reset(conn: number): void {
    const fd = this.peers[conn]!;
    if (fd === CLOSED) return;
    this.peers[conn] = CLOSED;
    this.#own.splice(this.#own.indexOf(fd), 1);
    libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, LINGER);
    libc().close(fd);
  }

  /** The peer reads all that there is; how much. */
  peerReads(fd: number): number {
    let total = 0;
    for (;;) {
      const res = libc().syscall(NR_RECVFROM, fd, this.addressOf(PAGES - 1), PAGE, MSG_DONTWAIT, 0, 0);
      if (res <= 0) return total;
      total += res;
    }
  }

  /** The peer of a connection reads until operation `id` has completed, and it has all that was sent, if it is there. */
  drain(conn: number, id: number): void {
    const peer = this.peers[conn]!;
    do {
      this.peerReads(peer);
      this.settle();
    } while (
      (peer !== CLOSED && libc().unacknowledged(this.conns[conn]!) > 0) ||
      !this.completed.some(one => one.id === id)
    );
    this.peerReads(peer);
  }

  /** Submits, and takes in what completes until nothing more does. */
  settle(): void {
    for (let quiet = 0; quiet < 2 || (this.due.size !== 0 && quiet < DUE_ROUNDS); ) {
      this.queues.submitAndWaitTimeout(1, 1);
      this.#fence.pass();
      if (this.queues.reapQueue(this) === 0) quiet++;
      else quiet = 0;
    }
  }

  onCqe(id: number, _high: number, res: number, flags: number): void {
    if (this.accepting.has(id) && res >= 0) {
      libc().close(res);
      res = 0;
    }
    if (this.floods.has(id) && res > 0 && res < FLOOD) res = 1;
    if ((flags & CQE_F_MORE) === 0) this.due.delete(id);
    if ((flags & (CQE_F_BUFFER | CQE_F_BUF_MORE)) === CQE_F_BUFFER) {
      this.#used.push([this.picking.get(id)!, flags >>> CQE_BUFFER_SHIFT]);
    }
    this.completed.push({ id, res, flags });
  }

  /** Gives back the buffers that were used up. */
  refill(): void {
    for (const [group, id] of this.#used.splice(0)) {
      const buffers = this.groups.get(group)!;
      buffers.recycle(id);
      buffers.publish();
    }
  }

  close(): void {
    this.queues.getSqe()!.userData(0).cancelAny(1);
    this.settle();
    this.queues.close();
    for (const fd of [...this.#own, ...this.conns, ...this.pipes.flat()]) if (fd !== CLOSED) libc().close(fd);
    this.memory.unmap();
    this.#fence.close();
  }
}

export function kernelSide(): Side {
  const ring = new Ring(256, { cqEntries: 4096 });
  const whole = new BufRing(ring, { group: GROUP, ...BUFFERS });
  const pieces = new BufRing(ring, { group: PIECES, ...PIECE_BUFFERS, flags: 2 });
  return new Side(
    ring,
    new Map([
      [GROUP, whole],
      [PIECES, pieces],
    ]),
  );
}

export function softSide(): Side {
  const ring = new SoftRing(256, 4096);
  ring.groups.set(GROUP, new Group(GROUP, BUFFERS));
  ring.groups.set(PIECES, new Group(PIECES, { ...PIECE_BUFFERS, piecewise: true }));
  return new Side(ring, ring.groups);
}
