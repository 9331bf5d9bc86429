/** An entry completes once, and in the same way, whatever else happens while it waits. */
import assert from 'node:assert/strict';
import { closeSync, constants, openSync, readlinkSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import t from 'tap';
import { Message } from 'uasync/ring';
import * as abi from '../../src/ring/abi/io-uring.js';
import { RECVMSG_OUT } from '../../src/ring/abi/structs.js';
import type { Sqe } from '../../src/ring/sqe/index.js';
import { Group } from '../../src/soft/groups.js';
import { SoftRing } from '../../src/soft/soft-ring.js';
import { EAGAIN, ECANCELED, EINVAL } from '../../src/sys/abi/errno.js';
import { POLLIN } from '../../src/sys/abi/flags.js';
import { MSG_WAITALL } from '../../src/sys/abi/sockets.js';
import { NR_FCNTL, NR_READ, NR_WRITE } from '../../src/sys/abi/syscall-numbers.js';
import { libc } from '../../src/sys/libc/libc.js';
import { Mapping } from '../../src/sys/memory/mapping.js';
import { SOCKADDR_MAX, writeSockaddr } from '../../src/sys/socket/sockaddr.js';
import { makeFifo, openFds, scratchFolder, until } from '../harness.js';
import '../patience.js';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const O_NONBLOCK = 0o4000;
const F_SETFL = 4;
const POLLRDNORM = 0x40;
const GROUP = 1;
const SIZE = 1 << 20;

const folder = scratchFolder();
const memory = Mapping.anonymous(SIZE);
const bytes = Buffer.from(memory.buffer);
const { address } = memory;
t.teardown(() => memory.unmap());

let ring: SoftRing;
let results: Map<number, number[]>;
let descriptors: number[];
let before: number;
t.beforeEach(() => {
  before = openFds();
  ring = new SoftRing(64, 64);
  results = new Map();
  descriptors = [];
});
t.afterEach(() => {
  if (!ring.closed) {
    sqe(0).cancelAll();
    go();
  }
  assert.equal(ring.waiting.size, 0, 'nothing waits');
  ring.close();
  for (const fd of descriptors) libc().close(fd);
  assert.equal(openFds(), before, 'no descriptor is left');
});

const sqe = (id: number): Sqe => ring.getSqe()!.userData(id);

/** Submits, and looks once for what has become ready. */
function go(): void {
  ring.submitAndGetEvents();
  ring.reapQueue({ onCqe: (id, _high, res) => results.set(id, [...(results.get(id) ?? []), res]) });
}

function keep(fd: number): number {
  if (fd < 0) throw new Error(`errno ${fd}`);
  descriptors.push(fd);
  return fd;
}

/** To read from, to write to. */
function pipe(): [number, number] {
  const ends = new Int32Array(2);
  libc().pipe(ends);
  return [keep(ends[0]!), keep(ends[1]!)];
}

const write = (fd: number, length: number): number => libc().syscall(NR_WRITE, fd, address, length, 0, 0, 0);
const read = (fd: number, length: number): number => libc().syscall(NR_READ, fd, address, length, 0, 0, 0);

/** Writes until there is no more room. */
function fill(fd: number): void {
  while (write(fd, 4096) > 0);
}

function sockaddr(port: number): Buffer {
  const name = Buffer.alloc(128);
  return name.subarray(0, writeSockaddr(name, 0, { address: '127.0.0.1', port, family: 'IPv4' }));
}

function portOf(fd: number): number {
  const name = Buffer.alloc(128);
  libc().getsockname(fd, name, new Uint32Array([128]));
  return name.readUInt16BE(2);
}

function socket(type: number): number {
  const fd = keep(libc().socket(AF_INET, type | SOCK_NONBLOCK, 0));
  libc().bind(fd, sockaddr(0));
  return fd;
}

t.test('a cancellation that lets a linked close begin, which cancels the next one', async t => {
  const [reads] = pipe();
  sqe(1).readAt(reads, address, 10, -1);
  sqe(2).openPath(makeFifo(folder, 'linked'), constants.O_RDONLY, 0).async().hardlink();
  sqe(3).close(reads);
  go();
  descriptors.splice(descriptors.indexOf(reads), 1);
  await until(() => ring.waiting.find(entry => entry.held >= 0));
  sqe(4).cancelAny(abi.ASYNC_CANCEL_ALL);
  go();
  t.strictSame(
    [1, 2, 3].map(id => results.get(id)),
    [[ECANCELED], [ECANCELED], [0]],
  );
});

t.test('a cancellation that a timeout has waited for', async t => {
  sqe(1).timeout(1e6, 1);
  sqe(2).openPath(makeFifo(folder, 'counted'), constants.O_RDONLY, 0).async();
  go();
  await until(() => ring.waiting.find(entry => entry.held >= 0));
  sqe(3).cancelAny(abi.ASYNC_CANCEL_ALL);
  go();
  t.strictSame(
    [1, 2, 3].map(id => results.get(id)),
    [[ECANCELED], [ECANCELED], [2]],
  );
});

t.test('a receive of messages that has waited for another one', async t => {
  const group = new Group(GROUP, { entries: 8, bufferSize: 1024 });
  ring.groups.set(GROUP, group);
  const [from, to] = [socket(SOCK_DGRAM), socket(SOCK_DGRAM)];
  libc().connect(from, sockaddr(portOf(to)));
  const plain = new Message({});
  const named = new Message({ address: true });
  sqe(1).recvmsgMultishot(to, plain, GROUP);
  sqe(2).recvmsgMultishot(to, named, GROUP);
  // What its entry was before reserved other space.
  go();
  named.header.fill(0);
  sqe(3).cancel(1);
  go();
  libc().sendAt(from, address, 5, 0);
  // On a busy machine it arrives later.
  await until(() => {
    go();
    return results.has(2);
  });
  const head = RECVMSG_OUT.size + SOCKADDR_MAX;
  t.strictSame(results.get(2), [head + 5]);
  t.equal(group.words[0], 16, "the sender's address");
});

t.test('a write that has waited, while the pool changes a file with its number', async t => {
  const [reads, writes] = pipe();
  fill(writes);
  sqe(1).writeAt(writes, address, 4096, -1);
  go();
  sqe(2).ftruncate(writes, 0);
  ring.submitAndGetEvents(false);
  read(reads, 65536);
  go();
  await until(() => {
    go();
    return results.size === 2;
  });
  t.strictSame(
    [1, 2].map(id => results.get(id)),
    [[4096], [EINVAL]],
  );
});

t.test('a write to a FIFO that becomes non-blocking meanwhile', async t => {
  const path = makeFifo(folder, 'written');
  const reads = openSync(path, constants.O_RDONLY | O_NONBLOCK);
  const writes = openSync(path, constants.O_WRONLY);
  const length = 100_000;
  for (let i = 0; i < length; i++) bytes[i] = i >> 12;
  sqe(1).writeAt(writes, address, length, -1);
  go();
  t.strictSame(results.get(1), undefined, 'it waits');
  libc().syscall(NR_FCNTL, writes, F_SETFL, O_NONBLOCK | constants.O_WRONLY, 0, 0, 0);
  const got = Buffer.alloc(2 * length);
  let total = readSync(reads, got, 0, 65536, null);
  go();
  t.strictSame(results.get(1), [length]);
  total += readSync(reads, got, total, length, null);
  t.equal(total, length);
  t.ok(got.subarray(0, length).equals(bytes.subarray(0, length)));
  closeSync(reads);
  closeSync(writes);
});

t.test('a poll for other events than these of readiness', t => {
  const [reads, writes] = pipe();
  sqe(1).pollAdd(reads, POLLRDNORM);
  go();
  write(writes, 1);
  go();
  t.strictSame(results.get(1), [POLLRDNORM]);
  t.end();
});

t.test('a descriptor that is replaced while entries wait for it', t => {
  const [first] = pipe();
  const [second, writes] = pipe();
  sqe(1).readAt(first, address, 10, -1);
  sqe(2).readAt(first, address, 10, -1);
  sqe(3).pollAdd(first, POLLRDNORM);
  go();
  t.equal(libc().replace(first, second), first);
  sqe(4).readAt(first, address, 10, -1);
  go();
  write(writes, 5);
  go();
  t.strictSame(
    [1, 2, 3, 4].map(id => results.get(id)),
    [[ECANCELED], [ECANCELED], [ECANCELED], [5]],
  );
  t.end();
});

t.test('a descriptor that is replaced, and is waited for in the other direction', async t => {
  const [first] = pipe();
  const listener = socket(SOCK_STREAM);
  libc().listen(listener, 1);
  const client = keep(libc().socket(AF_INET, SOCK_STREAM, 0));
  libc().connect(client, sockaddr(portOf(listener)));
  // On a busy machine it is connected before its connection can be accepted.
  await until(() => ring.calls.poll(listener, POLLIN) !== 0);
  const server = keep(libc().accept(listener));
  while (libc().sendAt(client, address, SIZE, 0x40) > 0);
  sqe(1).readAt(first, address, 10, -1);
  go();
  libc().replace(first, client);
  sqe(2).sendAt(first, address, SIZE, MSG_WAITALL);
  go();
  t.strictSame(results.get(1), [ECANCELED]);
  libc().sendAt(server, address, 7, 0);
  await until(() => ring.calls.poll(client, POLLIN) !== 0);
  go();
  t.strictSame(results.get(1), [ECANCELED], 'and it does not read from the other one');
});

t.test('a message that is sent in part, and then cancelled: what is linked to it does not begin', t => {
  const listener = socket(SOCK_STREAM);
  libc().listen(listener, 1);
  const client = keep(libc().socket(AF_INET, SOCK_STREAM, 0));
  libc().connect(client, sockaddr(portOf(listener)));
  const message = new Message({ buffers: Array.from({ length: 16 }, () => Buffer.alloc(SIZE)) });
  sqe(1).sendmsg(client, message, MSG_WAITALL).link();
  sqe(2).nop();
  go();
  t.strictSame(results.get(1), undefined, 'it waits');
  sqe(3).cancel(1);
  go();
  const [sent] = results.get(1)!;
  t.ok(sent! > 0 && sent! < 16 * SIZE, `${sent}`);
  t.strictSame(results.get(2), [ECANCELED]);
  t.end();
});

t.test('a connect that is tried again, and then waits for its answer', async t => {
  const listener = socket(SOCK_STREAM);
  libc().listen(listener, 1);
  const { calls } = ring;
  // The kernel has no memory for a route, for example.
  calls.connect = () => EAGAIN;
  for (const id of [1, 2]) sqe(id).connectTo(socket(SOCK_STREAM), sockaddr(portOf(listener)));
  go();
  calls.connect = Object.getPrototypeOf(calls).connect;
  await until(() => {
    go();
    return results.size === 2;
  });
  t.strictSame(
    [1, 2].map(id => results.get(id)),
    [[0], [0]],
  );
});

t.test('a FIFO without a reader, relative to a directory', async t => {
  const path = makeFifo(folder, 'relative');
  const directory = openSync(folder, constants.O_RDONLY);
  const entry = sqe(1);
  entry.prep(abi.OP_OPENAT, directory, entry.path('path', basename(path)), 0, 0);
  entry.opFlags(constants.O_WRONLY).async();
  go();
  // The pool has tried to open it, and it waits.
  await until(() => results.size !== 0 || ring.waiting.find(({ repeats }) => repeats !== 0));
  const reads = openSync(path, constants.O_RDONLY | O_NONBLOCK);
  await until(() => {
    go();
    return results.size !== 0;
  });
  const [writes] = results.get(1)!;
  t.ok(keep(writes!) > 0);
  t.equal(write(writes!, 1), 1);
  closeSync(reads);
  closeSync(directory);
});

t.test('a registered file that is replaced while it is read from', async t => {
  ring.registered = new Int32Array(1).fill(-1);
  const path = makeFifo(folder, 'registered');
  sqe(1).openPathDirect(path, O_NONBLOCK, 0, 0);
  go();
  await until(() => {
    go();
    return results.size !== 0;
  });
  const writes = keep(openSync(path, constants.O_WRONLY));
  libc().syscall(NR_FCNTL, ring.registered[0]!, F_SETFL, 0, 0, 0, 0);
  sqe(2).readAt(0, address, 10, -1).fixedFile();
  go();
  t.strictSame(results.get(2), undefined, 'it waits');
  sqe(3).openPathDirect(path, O_NONBLOCK, 0, 0);
  go();
  await until(() => {
    go();
    return results.size === 3;
  });
  t.strictSame(
    [1, 2, 3].map(id => results.get(id)),
    [[0], [ECANCELED], [0]],
  );
  write(writes, 1);
});

/** Keeps `count` calls in libuv's pool, or as many as there may be; to be called to let them end. */
function occupyPool(count: number): () => Promise<void> {
  const [reads, writes] = pipe();
  libc().syscall(NR_FCNTL, reads, F_SETFL, 0, 0, 0, 0);
  let pending = 0;
  try {
    while (pending < count) {
      libc().syscallInPool(NR_READ, reads, address, 1, 0, 0, 0, () => pending--);
      pending++;
    }
  } catch {
    // koffi has no more.
  }
  return async () => {
    write(writes, pending);
    await until(() => pending === 0);
  };
}

t.test('files that are opened while the pool takes no calls', async t => {
  const letGo = occupyPool(Number.POSITIVE_INFINITY);
  for (const id of [1, 2]) sqe(id).openPath('/dev/null', constants.O_RDONLY, 0).async();
  go();
  t.strictSame(
    [1, 2].map(id => results.get(id)),
    [[EAGAIN], [EAGAIN]],
  );
  await letGo();
  const paths = ['/dev/null', '/dev/zero', '/dev/full'];
  for (const [i, path] of paths.entries())
    sqe(3 + i)
      .openPath(path, constants.O_RDONLY, 0)
      .async();
  go();
  await until(() => {
    go();
    return results.size === 5;
  });
  const opened = [3, 4, 5].map(id => keep(results.get(id)![0]!));
  t.strictSame(
    opened.map(fd => readlinkSync(`/proc/self/fd/${fd}`)),
    paths,
  );
});

t.test('a ring that is closed when a chain has gone on after the cancellation', async t => {
  const letGo = occupyPool(16);
  const fd = keep(openSync(folder, constants.O_RDONLY));
  // As many as libuv gets at once.
  for (let id = 1; id <= 8; id++) sqe(id).fsync(fd);
  sqe(9).fsync(fd).hardlink();
  sqe(10).fsync(fd);
  go();
  sqe(11).cancelAny(abi.ASYNC_CANCEL_ALL);
  go();
  t.strictSame(results.get(9), [ECANCELED]);
  t.strictSame(results.get(10), undefined, 'it waits for a thread');
  ring.close();
  let isBack = false;
  ring.whenBack(() => {
    isBack = true;
  });
  await letGo();
  await until(() => isBack);
});
