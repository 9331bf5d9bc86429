/**
 * The software ring against the kernel's: both run the same random programs, and everything completes with the same
 * results and flags, as often, and leaves the same bytes in memory.
 */
import t from 'tap';
import { Message, probe } from 'uasync/ring';
import * as abi from '../../src/ring/abi/io-uring.js';
import { POLLIN, POLLOUT, POLLPRI, POLLRDHUP } from '../../src/sys/abi/flags.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_WAITALL } from '../../src/sys/abi/sockets.js';
import { seededRandom } from '../harness.js';
import {
  type Completed,
  FLOOD,
  GROUP,
  kernelSide,
  PAGE,
  PAGES,
  PIECES,
  type Side,
  softSide,
} from './sides.js';

const PROGRAMS = Number(process.env.UASYNC_PROGRAMS ?? 15);
const STEPS = 25;
const POLLRDNORM = 0x40;
const POLLWRNORM = 0x100;

const { available, supports } = probe();
const lacking = !available
  ? 'this kernel has no io_uring to compare with'
  : !supports(abi.OP_BIND) &&
    'this kernel is too old to be compared with: Linux 6.12 has buffers that are filled piece by piece';

/** One step of a program: it does the same to each side. */
interface Step {
  name: string;
  run(side: Side): void;
}

type Random = () => number;

class Program {
  readonly steps: Step[] = [];
  readonly #random: Random;
  #ids = 0;
  readonly #started: number[] = [];
  /** Connections whose peers send no more. */
  readonly #ended = new Set<number>();

  constructor(random: Random) {
    this.#random = random;
    for (let i = 0; i < STEPS; i++) {
      const count = this.#below(3) + 1;
      for (let k = 0; k < count; k++) this.#add();
      this.steps.push({ name: 'settle', run: side => side.settle() });
    }
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }

  #id(): number {
    this.#ids++;
    this.#started.push(this.#ids);
    return this.#ids;
  }

  #add(): void {
    const kinds = [
      this.#nop,
      this.#timeout,
      this.#poll,
      this.#receive,
      this.#receive,
      this.#receiveMany,
      this.#receiveMany,
      this.#send,
      this.#message,
      this.#refill,
      this.#accept,
      this.#connects,
      this.#pipe,
      this.#pipe,
      this.#peer,
      this.#peer,
      this.#peer,
      this.#reset,
      this.#flood,
      this.#datagram,
      this.#cancel,
      this.#cancel,
      this.#chain,
      this.#wrong,
    ];
    this.#pick(kinds).call(this);
  }

  #step(name: string, run: (side: Side) => void): void {
    this.steps.push({ name, run });
  }

  /** Something happens outside, once all that was submitted before has been seen to. */
  #outside(name: string, run: (side: Side) => void): void {
    this.#step(name, side => {
      side.settle();
      run(side);
    });
  }

  /**
   * Ends what waits for a descriptor: of several that do, the kernel serves the latest first, and the software ring
   * the earliest. Neither is promised.
   */
  #clear(name: string, fd: (side: Side) => number): void {
    const id = this.#id();
    this.#step(`${id}: clear ${name}`, side => {
      // The kernel finds what was cancelled in the same submission once more.
      side.settle();
      side.sqe(id).cancelFd(fd(side), abi.ASYNC_CANCEL_ALL);
      side.settle();
    });
  }

  #nop(): void {
    const id = this.#id();
    const result = this.#pick([0, 5, 0xffffffea]);
    this.#step(`${id}: nop ${result}`, side => side.sqe(id).nop(abi.NOP_INJECT_RESULT, result));
  }

  #timeout(): void {
    const id = this.#id();
    const [ms, flags] = this.#pick([
      [0.1, 0],
      [1e6, 0],
      [0.2, abi.TIMEOUT_ETIME_SUCCESS],
      [0.1, abi.TIMEOUT_BOOTTIME],
      [1, abi.TIMEOUT_ABS],
      [1, 0x8000],
    ] as const);
    this.#step(`${id}: timeout ${ms} ${flags}`, side => {
      if (ms <= 1) side.due.add(id);
      side.sqe(id).timeout(ms, 0, flags);
    });
  }

  #poll(): void {
    const conn = this.#below(4);
    this.#clear(`${conn}`, side => side.conns[conn]!);
    const id = this.#id();
    const mask = this.#pick([POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM]);
    const many = (mask === POLLIN || mask === POLLRDNORM) && this.#below(3) === 0;
    const ready = this.#below(6);
    this.#step(`${id}: poll ${conn} ${mask} ${many} ${ready}`, side => {
      const sqe = side.sqe(id);
      if (many) sqe.pollMultishot(side.conns[conn]!, mask);
      else sqe.pollAdd((mask & (POLLIN | POLLOUT) && side.ready[ready]) || side.conns[conn]!, mask);
    });
  }

  #receive(): void {
    const conn = this.#below(4);
    this.#clear(`${conn}`, side => side.conns[conn]!);
    const id = this.#id();
    const length = this.#pick([0, 10, 100]);
    const flags = this.#pick([0, 0, MSG_DONTWAIT, MSG_WAITALL]);
    const select = length !== 0 && this.#below(4) === 0;
    this.#step(`${id}: recv ${conn} ${length} ${flags} ${select}`, side => {
      const sqe = side.sqe(id).recvAt(side.conns[conn]!, side.addressOf(id), length, flags);
      side.picking.set(id, GROUP);
      if (select) sqe.bufferSelect(GROUP);
    });
  }

  #receiveMany(): void {
    const conn = this.#below(4);
    this.#clear(`${conn}`, side => side.conns[conn]!);
    const id = this.#id();
    const group = this.#pick([GROUP, PIECES, 99]);
    this.#step(`${id}: recv many ${conn} ${group}`, side => {
      side.picking.set(id, group);
      side.sqe(id).recvMultishot(side.conns[conn]!, group);
    });
  }

  /** Buffers that were used up are provided again. */
  #refill(): void {
    this.#outside('refill', side => side.refill());
  }

  /** A message of several buffers. */
  #message(): void {
    const id = this.#id();
    const conn = this.#below(4);
    const lengths = this.#pick([[10], [0, 5, 100], [1000, 0, 1]]);
    const flags = MSG_NOSIGNAL | this.#pick([0, MSG_WAITALL, MSG_DONTWAIT]);
    this.#step(`${id}: message ${conn} ${lengths} ${flags}`, side => {
      side.sqe(id).sendmsg(side.conns[conn]!, messageOf(side, id, lengths), flags);
    });
  }

  #send(): void {
    const id = this.#id();
    const conn = this.#below(4);
    const length = this.#pick([0, 1, 1000]);
    const flags = MSG_NOSIGNAL | this.#pick([0, MSG_WAITALL, MSG_DONTWAIT]);
    this.#step(`${id}: send ${conn} ${length} ${flags}`, side => {
      side.sqe(id).sendAt(side.conns[conn]!, side.addressOf(id), length, flags);
    });
  }

  #accept(): void {
    this.#clear('listener', side => side.listener);
    const id = this.#id();
    const many = this.#below(2) === 0;
    const now = !many && this.#below(3) === 0;
    this.#step(`${id}: accept ${many} ${now}`, side => {
      side.accepting.add(id);
      const sqe = side.sqe(id);
      if (many) sqe.multishotAccept(side.listener);
      else sqe.accept(side.listener);
      if (now) sqe.dontWait();
    });
  }

  #connects(): void {
    this.#outside('connects', side => side.connect());
  }

  #pipe(): void {
    const pipe = this.#below(2);
    const length = this.#pick([1, 50]);
    const reads = this.#below(2) === 0;
    this.#clear(`pipe ${pipe}`, side => side.pipes[pipe]![reads ? 0 : 1]);
    const id = this.#id();
    this.#step(`${id}: ${reads ? 'read' : 'write'} ${pipe} ${length}`, side => {
      const [from, to] = side.pipes[pipe]!;
      const sqe = side.sqe(id);
      if (reads) sqe.readAt(from, side.addressOf(id), length, -1);
      else sqe.writeAt(to, side.addressOf(id), length, -1);
    });
  }

  /** What the peers do. */
  #peer(): void {
    const conn = this.#below(4);
    const what = this.#below(12);
    const length = this.#pick([1, 30, 300]);
    if (what === 0) this.#ended.add(conn);
    if (what === 0) this.#outside(`peer ${conn} ends`, side => void side.shutdown(side.peers[conn]!));
    else if (what < 3) this.#outside(`peer ${conn} reads`, side => void side.peerReads(side.peers[conn]!));
    else {
      const fill = this.#below(256);
      this.#outside(`peer ${conn} sends ${length}`, side => {
        side.peerSends(side.peers[conn]!, length, fill);
        // What comes together may be received in pieces or at once.
        side.settle();
      });
    }
  }

  /** More is sent than the socket has room for, while it is received from and polled; the peer reads it later. */
  #flood(): void {
    const conn = this.#below(4);
    // A send that waits while the peer sends no more occupies a thread of the kernel, which ASYNC_CANCEL does not count.
    if (this.#below(3) !== 0 || this.#ended.has(conn)) return;
    this.#clear(`${conn}`, side => side.conns[conn]!);
    const [send, other, cancel] = [this.#id(), this.#id(), this.#id()];
    const what = this.#below(5);
    this.#outside(`${send}: flood ${conn} ${what}`, side => {
      const fd = side.conns[conn]!;
      side.floods.add(send);
      side.sqe(send).sendAt(fd, side.memory.address, FLOOD, MSG_NOSIGNAL | MSG_WAITALL);
      side.settle();
      if (what < 2) side.sqe(other).recvAt(fd, side.addressOf(other), 300, MSG_WAITALL);
      else if (what === 2) side.sqe(other).pollAdd(fd, POLLOUT);
      else side.sqe(other).recvMultishot(fd, 99);
      side.settle();
      side.peerSends(side.peers[conn]!, 200, 7);
      side.settle();
      // It is cancelled, or goes on once the peer has read.
      if (what === 4) side.drain(conn, send);
      if (what % 2 === 0) side.sqe(cancel).cancel(send);
      else side.sqe(cancel).cancelFd(fd, abi.ASYNC_CANCEL_ALL);
      side.settle();
      side.drain(conn, send);
    });
  }

  /** A peer goes away, while an operation waits for it or before one starts. */
  #reset(): void {
    if (this.#below(4) !== 0) return;
    const conn = this.#below(4);
    // A poll may see the events of a reset one after the other.
    this.#clear(`${conn}`, side => side.conns[conn]!);
    const id = this.#id();
    const what = this.#below(4);
    this.#step(`${id}: before reset ${conn} ${what}`, side => {
      const sqe = side.sqe(id);
      side.picking.set(id, PIECES);
      if (what === 0) sqe.recvAt(side.conns[conn]!, side.addressOf(id), 100, MSG_WAITALL);
      else if (what === 1) sqe.recvMultishot(side.conns[conn]!, PIECES);
      else if (what === 2) sqe.readAt(side.conns[conn]!, side.addressOf(id), 100, -1);
      else sqe.nop();
    });
    this.#outside(`peer ${conn} resets`, side => {
      side.reset(conn);
      // The first one that asks gets the error.
      side.settle();
    });
  }

  #datagram(): void {
    const [a, b] = this.#pick([
      [0, 1],
      [1, 0],
    ] as const);
    const what = this.#below(6);
    if (what === 0) {
      // An empty one ends the kernel's multishot receive; the software ring has received more with it.
      const length = this.#pick([1, 30, 60]);
      this.#outside(`datagram ${a} ${length}`, side => side.peerSends(side.datagrams[a], length, 7));
      return;
    }
    this.#clear(`datagram ${b}`, side => side.datagrams[b]);
    const id = this.#id();
    this.#step(`${id}: datagram ${b} ${what}`, side => {
      const sqe = side.sqe(id);
      if (what === 1) sqe.recvAt(side.datagrams[b], side.addressOf(id), 20, 0);
      else if (what === 2) sqe.sendAt(side.datagrams[b], side.addressOf(id), 20, 0);
      else if (what === 3) sqe.sendmsg(side.datagrams[b], messageOf(side, id, [5, 10]));
      else if (what === 4) sqe.recvmsg(side.datagrams[b], messageOf(side, id, [5, 10]));
      else {
        side.picking.set(id, GROUP);
        sqe.recvmsgMultishot(side.datagrams[b], messageOf(side, id, []), GROUP);
      }
    });
  }

  #cancel(): void {
    const id = this.#id();
    const target = this.#started[this.#below(this.#started.length)]!;
    const conn = this.#below(4);
    const how = this.#below(5);
    this.#step(`${id}: cancel ${how} ${target} ${conn}`, side => {
      side.settle();
      const sqe = side.sqe(id);
      if (how < 3) sqe.cancel(target);
      else if (how === 3) sqe.cancelFd(side.conns[conn]!, abi.ASYNC_CANCEL_ALL);
      else sqe.cancelOp(abi.OP_RECV, abi.ASYNC_CANCEL_ALL);
    });
  }

  /** Links of all kinds, one of which may fail or wait. */
  #chain(): void {
    const ids = Array.from({ length: this.#below(3) + 2 }, () => this.#id());
    const parts = ids.map(() => ({
      what: this.#below(5),
      hard: this.#below(3) === 0,
      quiet: this.#below(4) === 0,
    }));
    const conn = this.#below(4);
    if (parts.filter(({ what }) => what === 2).length > 1) return;
    this.#clear(`${conn}`, side => side.conns[conn]!);
    this.#step(`${ids}: chain ${JSON.stringify(parts)} ${conn}`, side => {
      for (const [i, { what, hard, quiet }] of parts.entries()) {
        const sqe = side.sqe(ids[i]!);
        if (what === 0) sqe.nop(abi.NOP_INJECT_RESULT, 0xffffffea);
        else if (what === 1) sqe.timeout(0.1);
        else if (what === 2) sqe.recvAt(side.conns[conn]!, side.addressOf(ids[i]!), 5, MSG_WAITALL);
        else if (what === 3) sqe.sendAt(side.conns[conn]!, side.addressOf(ids[i]!), 5, MSG_NOSIGNAL);
        if (quiet) sqe.skipSuccess();
        if (i === parts.length - 1) continue;
        if (hard) sqe.hardlink();
        else sqe.link();
      }
    });
  }

  /** What the kernel refuses. */
  #wrong(): void {
    const id = this.#id();
    const what = this.#below(11);
    this.#step(`${id}: wrong ${what}`, side => {
      const sqe = side.sqe(id);
      const at = side.addressOf(id);
      if (what === 0) sqe.recvAt(1_000_000, at, 10, 0);
      else if (what === 1) sqe.sendAt(side.pipes[0]![0], at, 10, 0);
      else if (what === 2) sqe.pollAdd(1_000_000, POLLIN);
      else if (what === 3) sqe.close(1_000_000);
      else if (what === 4) sqe.accept(side.conns[0]!);
      else if (what === 5) sqe.readAt(side.pipes[0]![1], at, 10, -1);
      else if (what === 6) sqe.pollAdd(side.conns[0]!, POLLIN).bufferSelect(GROUP);
      else if (what === 7) sqe.close(side.conns[0]!).bufferSelect(GROUP);
      else if (what === 8) sqe.recvmsgMultishot(side.datagrams[0], messageOf(side, id, []), 99);
      else if (what === 9) sqe.connectTo(side.conns[0]!, new Uint8Array(16).fill(1));
      else sqe.cancel(999_999);
    });
  }
}

/** A message whose buffers are in the operation's page. */
function messageOf(side: Side, id: number, lengths: readonly number[]): Message {
  let end = (id % PAGES) * PAGE;
  const buffers = lengths.map(length => {
    end += length;
    return side.bytes.subarray(end - length, end);
  });
  const message = new Message({ buffers });
  side.messages.push(message);
  return message;
}

/** Bits of completions that say how much more there is, which depends on when they are asked. */
const UNCERTAIN = abi.CQE_F_SOCK_NONEMPTY;

/** The completions of each operation, in order. */
function byOperation(completed: Completed[]): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const { id, res, flags } of completed.sort((a, b) => a.id - b.id)) {
    found.set(id, [...(found.get(id) ?? []), `${res} ${(flags & ~UNCERTAIN).toString(16)}`]);
  }
  return found;
}

t.test('random programs', { skip: lacking }, async t => {
  const random = seededRandom(t);
  let operations = 0;
  for (let i = 0; i < PROGRAMS; i++) {
    const { steps } = new Program(random);
    const sides = [kernelSide(), softSide()];
    try {
      for (const [at, step] of steps.entries()) {
        for (const side of sides) step.run(side);
        if (step.name !== 'settle') continue;
        const [kernel, soft] = sides.map(side => byOperation(side.completed.splice(0)));
        operations += kernel!.size;
        if (JSON.stringify([...kernel!]) === JSON.stringify([...soft!])) continue;
        const before = steps.slice(0, at).map(({ name }) => name);
        t.strictSame([...soft!], [...kernel!], `program ${i}: ${before.join('; ')}`);
        return;
      }
      const [kernel, soft] = sides.map(({ bytes }) => bytes.subarray(0, PAGE * 500));
      if (!kernel!.equals(soft!)) t.fail(`program ${i} leaves other bytes`);
      for (const group of [GROUP, PIECES]) {
        const [kernel, soft] = sides.map(({ groups }) => groups.get(group)!.bytes);
        if (!kernel!.equals(soft!)) t.fail(`program ${i} leaves other bytes in buffers`);
      }
    } finally {
      for (const side of sides) side.close();
    }
  }
  t.ok(operations > PROGRAMS, `${operations} operations`);
});
