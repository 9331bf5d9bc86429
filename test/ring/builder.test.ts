/** What the builder takes beside buffers: strings, buffers to be selected, room for addresses, and bare fields. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as abi from 'uasync/ring';
import {
  AddressBuffer,
  AF_INET,
  AF_UNIX,
  addressOf,
  BufRing,
  getpeername,
  getsockname,
  type InetAddress,
  inetAddress,
  Message,
  Ring,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  type Sqe,
} from 'uasync/ring';
import { makeFifo, scratchFolder } from '../harness.js';
import { complete, lacking, one, ring, several } from './driver.js';

const folder = scratchFolder();
const TEXT = 'Grüße, 世界\n';
const BYTES = Buffer.byteLength(TEXT);

/** Two connected sockets. */
function pair(type = SOCK_STREAM): [number, number] {
  const listener = one(sqe => sqe.socket(AF_INET, SOCK_STREAM));
  if (type !== SOCK_STREAM) throw new Error('streams only');
  one(sqe => sqe.bind(listener, inetAddress('127.0.0.1', 0)));
  one(sqe => sqe.listen(listener, 4));
  const client = one(sqe => sqe.socket(AF_INET, type));
  one(sqe => sqe.connect(client, getsockname(listener) as InetAddress));
  const server = one(sqe => sqe.accept(listener));
  closeSync(listener);
  return [client, server];
}

const needsBind = lacking(['BIND', abi.OP_BIND, '6.11']);

t.test('strings are written as UTF-8', async t => {
  const path = join(folder, 'text');
  const fd = openSync(path, 'w+');
  t.equal(
    one(sqe => sqe.write(fd, TEXT, 0)),
    BYTES,
  );
  t.equal(
    one(sqe => sqe.writev(fd, [TEXT, Buffer.from('and bytes\n'), '\ud800', ''], BYTES)),
    BYTES + 13,
    'a lone surrogate is U+FFFD, as everywhere in Node',
  );
  t.equal(readFileSync(path, 'utf8'), `${TEXT}${TEXT}and bytes\n\ufffd`);
  closeSync(fd);
});

t.test('strings are sent, alone and in messages', { skip: needsBind }, async t => {
  const [client, server] = pair();
  const buffer = Buffer.alloc(100);
  const received = (): string =>
    buffer.toString(
      'utf8',
      0,
      one(sqe => sqe.recv(server, buffer)),
    );
  one(sqe => sqe.send(client, TEXT));
  t.equal(received(), TEXT);
  one(sqe => sqe.sendmsg(client, new Message({ buffers: ['a ', Buffer.from('message')] })));
  t.equal(received(), 'a message');
  const zeroCopy = several(2, sqe => sqe.sendZc(client, 'without a copy').userData(1));
  t.ok(zeroCopy.has(1));
  t.equal(received(), 'without a copy');
  const udp = one(sqe => sqe.socket(AF_INET, SOCK_DGRAM));
  one(sqe => sqe.bind(udp, inetAddress('127.0.0.1', 0)));
  one(sqe => sqe.sendto(udp, 'to myself', getsockname(udp)!));
  t.equal(
    one(sqe => sqe.recv(udp, buffer)),
    9,
  );
  for (const fd of [client, server, udp]) closeSync(fd);
});

t.test('a string is kept until the kernel has read it', async t => {
  const fifo = openSync(makeFifo(folder, 'full'), constants.O_RDWR | constants.O_NONBLOCK);
  const filling = Buffer.alloc(4096);
  t.throws(
    () => {
      for (;;) writeSync(fifo, filling);
    },
    { code: 'EAGAIN' },
  );
  const blocking = openSync(join(folder, 'full'), constants.O_RDWR);
  ring
    .getSqe()!
    .write(blocking, `${'x'.repeat(2000)}.`)
    .userData(5);
  ring.submit();
  t.equal(ring.pins!.size, 1);
  const bytes = Buffer.alloc(1 << 20);
  for (let i = 0; i < 4; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    Buffer.from('y'.repeat(3000));
  }
  readSync(fifo, bytes);
  const [cqe] = ring.copyCqes(1);
  t.equal(cqe!.res, 2001);
  t.equal(ring.pins!.size, 0);
  t.equal(bytes.toString('latin1', 0, readSync(fifo, bytes)), `${'x'.repeat(2000)}.`);
  closeSync(fifo);
  closeSync(blocking);
});

t.test('a group that is named before the operation stays', { skip: needsBind }, async t => {
  const [client, server] = pair();
  const group = new BufRing(ring, { group: 4, entries: 2, bufferSize: 16 });
  for (const fill of [
    (sqe: Sqe) => sqe.bufferSelect(4).recv(server, null),
    (sqe: Sqe) => sqe.bufferSelect(4).raw({ opcode: abi.OP_RECV, fd: server }),
  ]) {
    one(sqe => sqe.send(client, 'text'));
    const { res, flags } = complete(fill);
    t.equal(res, 4);
    const at = BufRing.idOf(flags) * 16;
    t.equal(group.bytes.toString('latin1', at, at + 4), 'text');
  }
  group.close();
  for (const fd of [client, server]) closeSync(fd);
});

t.test('flags that do not fit into their field are refused', async t => {
  const buffer = Buffer.alloc(8);
  const refused = [
    (sqe: Sqe) => sqe.setFlags(256),
    (sqe: Sqe) => sqe.sendZc(0, buffer, 0, 0x10000),
    (sqe: Sqe) => sqe.sendZcFixed(0, buffer, 0, 0x10000, 0),
    (sqe: Sqe) => sqe.nop(0, 2 ** 32),
  ];
  for (const fill of refused) t.throws(() => fill(ring.getSqe()!), { code: 'ERR_OUT_OF_RANGE' });
  ring.submit(refused.length);
  t.strictSame(
    ring.copyCqes().map(({ res }) => res),
    [0, 0, 0, 0],
    'nothing but NOPs',
  );
});

t.test('a receive or read whose buffer is selected needs none of its own', { skip: needsBind }, async t => {
  const [client, server] = pair();
  const group = new BufRing(ring, { group: 3, entries: 4, bufferSize: 16 });
  const selected = (fill: (sqe: Sqe) => Sqe): string => {
    const { res, flags } = complete(sqe => fill(sqe).bufferSelect(3));
    const start = BufRing.idOf(flags) * 16;
    return group.bytes.toString('latin1', start, start + res);
  };
  one(sqe => sqe.send(client, 'x'.repeat(40)));
  t.equal(
    selected(sqe => sqe.recv(server, null)),
    'x'.repeat(16),
    'null is all of the buffer',
  );
  t.equal(
    selected(sqe => sqe.recv(server, 5)),
    'x'.repeat(5),
    'a number is how many bytes at most',
  );
  t.equal(
    selected(sqe => sqe.read(server, 3)),
    'xxx',
  );
  t.equal(
    selected(sqe => sqe.read(server, null)),
    'x'.repeat(16),
  );
  // Without bufferSelect there is nowhere to put it: an error, and nothing that looks like the end.
  one(sqe => sqe.send(client, 'more'));
  for (const room of [null, 5]) {
    t.equal(
      one(sqe => sqe.recv(server, room)),
      -14,
      'EFAULT',
    );
  }
  group.close();
  for (const fd of [client, server]) closeSync(fd);
});

t.test('accept tells the address of the peer', { skip: needsBind }, async t => {
  const peer = new AddressBuffer();
  t.equal(peer.address, null, 'nothing yet');
  for (const host of ['127.0.0.1', '::1']) {
    const listener = one(sqe => sqe.socket(host === '::1' ? abi.AF_INET6 : AF_INET, SOCK_STREAM));
    one(sqe => sqe.bind(listener, inetAddress(host, 0)));
    one(sqe => sqe.listen(listener, 4));
    const client = one(sqe => sqe.socket(host === '::1' ? abi.AF_INET6 : AF_INET, SOCK_STREAM));
    one(sqe => sqe.connect(client, getsockname(listener)!));
    const server = one(sqe => sqe.accept(listener, SOCK_NONBLOCK, peer));
    t.strictSame(peer.address, getsockname(client), host);
    t.strictSame(getpeername(server), peer.address);
    for (const fd of [listener, client, server]) closeSync(fd);
  }
  const listener = one(sqe => sqe.socket(AF_UNIX, SOCK_STREAM));
  one(sqe => sqe.bind(listener, { path: `\0uasync-${process.pid}` }));
  one(sqe => sqe.listen(listener, 4));
  const client = one(sqe => sqe.socket(AF_UNIX, SOCK_STREAM));
  one(sqe => sqe.connect(client, { path: `\0uasync-${process.pid}` }));
  const server = one(sqe => sqe.accept(listener, 0, peer));
  t.strictSame(peer.address, { path: '' }, 'the room is used again; this peer has no name');
  t.throws(() => getpeername(listener), { code: 'ENOTCONN', syscall: 'getpeername' });
  for (const fd of [listener, client, server]) closeSync(fd);
});

/** Whether a program that this process starts has the descriptor. */
function inherited(fd: number): boolean {
  return !(
    Number.parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!, 8) &
    abi.O_CLOEXEC
  );
}

t.test('descriptors are not inherited, unless asked for', { skip: needsBind }, async t => {
  const path = join(folder, 'inherited');
  const listener = one(sqe => sqe.socket(AF_INET, SOCK_STREAM));
  one(sqe => sqe.bind(listener, inetAddress('127.0.0.1', 0)));
  one(sqe => sqe.listen(listener, 8));
  const fds: number[] = [listener];
  const accept = (fill: (sqe: Sqe) => Sqe): number => {
    const client = one(sqe => sqe.socket(AF_INET, SOCK_STREAM));
    fds.push(client);
    one(sqe => sqe.connect(client, getsockname(listener)!));
    return one(fill);
  };
  const makers: Record<string, (change: (sqe: Sqe) => Sqe) => number> = {
    openat: change => one(sqe => change(sqe.open(path, constants.O_CREAT | constants.O_RDWR, 0o600))),
    openat2: change => one(sqe => change(sqe.openat2(abi.AT_FDCWD, path, { flags: 0 }))),
    socket: change => one(sqe => change(sqe.socket(AF_INET, SOCK_STREAM, 0))),
    accept: change => accept(sqe => change(sqe.accept(listener))),
    'accept with a flag': change => accept(sqe => change(sqe.accept(listener, SOCK_NONBLOCK))),
  };
  if (!lacking(['PIPE', abi.OP_PIPE, '6.16'])) {
    makers.pipe = change => {
      const ends = new Int32Array(2);
      one(sqe => change(sqe.pipe(ends)));
      fds.push(ends[1]!);
      return ends[0]!;
    };
  }
  for (const [name, make] of Object.entries(makers)) {
    const kept = make(sqe => sqe);
    t.notOk(inherited(kept), `${name} is close-on-exec`);
    const given = make(sqe => sqe.inherit());
    t.ok(inherited(given), `${name} with inherit() is not`);
    const { stdout } = spawnSync('ls', ['/proc/self/fd'], { encoding: 'latin1' });
    t.notOk(stdout.split('\n').includes(String(kept)), `${name}: no child has it`);
    fds.push(kept, given);
  }
  for (const fd of fds) closeSync(fd);
  t.throws(() => ring.getSqe()!.nop().inherit(), { code: 'ERR_INVALID_STATE' });
  ring.submit(1);
  ring.copyCqes();
});

t.test('descriptors in a message are not inherited, unless asked for', { skip: needsBind }, async t => {
  const SOL_SOCKET = 1;
  const SCM_RIGHTS = 1;
  /** struct cmsghdr, and one descriptor. */
  const control = Buffer.alloc(24);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  const path = `\0uasync-rights-${process.pid}`;
  const receiver = one(sqe => sqe.socket(AF_UNIX, SOCK_DGRAM));
  one(sqe => sqe.bind(receiver, { path }));
  const sender = one(sqe => sqe.socket(AF_UNIX, SOCK_DGRAM));
  control.writeInt32LE(sender, 16);
  for (const inherit of [false, true]) {
    one(sqe => sqe.sendmsg(sender, new Message({ buffers: ['take it'], address: { path }, control })));
    const message = new Message({ buffers: [Buffer.alloc(20)], control: 24 });
    one(sqe => (inherit ? sqe.recvmsg(receiver, message).inherit() : sqe.recvmsg(receiver, message)));
    const fd = Buffer.from(message.control).readInt32LE(16);
    t.equal(inherited(fd), inherit);
    t.equal(message.flags, 0);
    closeSync(fd);
  }
  closeSync(sender);
  closeSync(receiver);
});

t.test('an entry is filled field by field', async t => {
  const path = join(folder, 'raw');
  const fd = openSync(path, 'w+');
  const data = Buffer.from('raw bytes');
  const cqe = complete(sqe =>
    sqe.raw({ opcode: abi.OP_WRITE, fd, addr: data, len: data.length, off: 0, userData: 2n ** 60n }),
  );
  t.strictSame(cqe, { userData: 2n ** 60n, res: 9, flags: 0 });
  t.equal(readFileSync(path, 'latin1'), 'raw bytes');
  // What it points at by an address of its own is named, to be kept.
  const into = Buffer.alloc(4);
  const iovec = new BigUint64Array([BigInt(addressOf(into)), 4n]);
  t.equal(
    one(sqe => sqe.raw({ opcode: abi.OP_READV, fd, addr: iovec, len: 1, off: 4, keep: [into] })),
    4,
  );
  t.equal(into.toString(), 'byte');
  t.equal(
    one(sqe => sqe.raw({ opcode: abi.OP_READ, fd, addr: into, len: 4, off: -1 })),
    4,
    'all ones: the current position',
  );
  t.equal(into.toString(), 'raw ');
  closeSync(fd);

  const whole = new Ring(2);
  const sqe = whole.getSqe()!;
  sqe.raw({
    opcode: 1,
    flags: 2,
    ioprio: 0x0304,
    fd: 5,
    off: 0x0807060504030201n,
    addr: 0x1817161514131211n,
    len: 0x21222324,
    opFlags: 0x31323334,
    userData: 0x4847464544434241n,
    bufIndex: 0x5152,
    personality: 0x6162,
    fileIndex: 0x71727374,
    addr3: 0x8887868584838281n,
    pad2: 0x9897969594939291n,
  });
  const bytes = Buffer.from(sqe.words.buffer, sqe.words.byteOffset, 64);
  t.equal(
    bytes.toString('hex'),
    '0102040305000000010203040506070811121314151617182423222134333231' +
      '4142434445464748525162617473727181828384858687889192939495969798',
  );
  whole.close();

  const refused = [
    [{ opcode: 256 }, 'ERR_OUT_OF_RANGE'],
    [{ opcode: 1, lenght: 5 }, 'ERR_INVALID_ARG_VALUE'],
    [{ opcode: 1, addr: 'text' }, 'ERR_INVALID_ARG_TYPE'],
    [{ opcode: 1, addr: -2 }, 'ERR_OUT_OF_RANGE'],
    [{ opcode: abi.OP_NOP128 }, 'ERR_INVALID_STATE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
  ] as const;
  for (const [entry, code] of refused) {
    t.throws(() => ring.getSqe()!.raw(entry as never), { code }, JSON.stringify(entry));
  }
  ring.submit(refused.length);
  ring.copyCqes();
});

t.test('a registered file is spliced from', async t => {
  const files = new Ring(4);
  const path = join(folder, 'spliced');
  const file = openSync(path, 'w+');
  writeSync(file, 'spliced bytes');
  files.registerFiles([file]);
  const fifo = openSync(makeFifo(folder, 'splice'), constants.O_RDWR);
  files.getSqe()!.splice(0, 0, fifo, -1, 7, abi.SPLICE_F_FD_IN_FIXED);
  files.submit(1);
  t.equal(files.copyCqes()[0]!.res, 7);
  const bytes = Buffer.alloc(20);
  t.equal(bytes.toString('latin1', 0, readSync(fifo, bytes)), 'spliced');
  files.close();
  closeSync(file);
  closeSync(fifo);
});
