/** Operations on sockets, by what they do to real ones. */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as abi from 'uasync/ring';
import {
  AF_INET,
  AF_UNIX,
  type Cqe,
  type InetAddress,
  inetAddress,
  Message,
  MSG_TRUNC,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
} from 'uasync/ring';
import { localAddress } from '../../src/net/address/addresses.js';
import { libc } from '../../src/sys/libc/libc.js';
import { scratchFolder } from '../harness.js';
import { complete, lacking, one, ring, several } from './driver.js';
import '../patience.js';

const POLLIN = 1;
const LOOPBACK = inetAddress('127.0.0.1', 0);

/** A bound UDP socket and its address. */
function datagram(): [fd: number, address: InetAddress] {
  const fd = one(sqe => sqe.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC));
  t.equal(
    one(sqe => sqe.bind(fd, LOOPBACK)),
    0,
  );
  return [fd, localAddress(fd) as InetAddress];
}

/** Two connected TCP sockets. */
function streams(): [number, number] {
  const listener = one(sqe => sqe.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
  libc().listen(listener, 8);
  const client = one(sqe => sqe.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
  const { port } = localAddress(listener) as InetAddress;
  t.equal(
    one(sqe => sqe.connect(client, inetAddress('127.0.0.1', port))),
    0,
  );
  const server = one(sqe => sqe.accept(listener));
  closeSync(listener);
  return [client, server];
}

const needsBind = lacking(['BIND', abi.OP_BIND, '6.11']);

t.test('sendto, and recvmsg with the sender’s address', { skip: needsBind }, async t => {
  const [a, from] = datagram();
  const [b, to] = datagram();
  t.equal(
    one(sqe => sqe.sendto(a, Buffer.from('hello'), to)),
    5,
  );
  const [head, tail] = [Buffer.alloc(2), Buffer.alloc(10)];
  const message = new Message({ buffers: [head, tail], address: true });
  t.equal(
    one(sqe => sqe.recvmsg(b, message)),
    5,
  );
  t.equal(`${head}|${tail.toString('latin1', 0, 3)}`, 'he|llo');
  t.strictSame(message.address, from);
  t.equal(message.flags, 0);
  t.equal(
    one(sqe => sqe.send(a, Buffer.from('longer than that')).sendSetAddr(to)),
    16,
  );
  const short = new Message({ buffers: [Buffer.alloc(4)] });
  t.equal(
    one(sqe => sqe.recvmsg(b, short)),
    4,
  );
  t.ok(short.flags & MSG_TRUNC);
  closeSync(a);
  closeSync(b);
});

t.test('a Message has all its room again at the next receive', { skip: needsBind }, async t => {
  const folder = scratchFolder();
  const unix = (path?: string): number => {
    const fd = one(sqe => sqe.socket(AF_UNIX, SOCK_DGRAM));
    if (path !== undefined) one(sqe => sqe.bind(fd, { path }));
    return fd;
  };
  const to = { path: join(folder, 'to') };
  const from = join(folder, 'from');
  const receiver = unix(to.path);
  const [nameless, named] = [unix(), unix(from)];
  const message = new Message({ buffers: [Buffer.alloc(8)], address: true, control: 64 });
  const receive = (sender: number): void => {
    one(sqe => sqe.sendto(sender, 'text', to));
    t.equal(
      one(sqe => sqe.recvmsg(receiver, message)),
      4,
    );
  };
  receive(nameless);
  t.strictSame(message.address, { path: '' });
  receive(named);
  t.strictSame(message.address, { path: from });
  const PASSCRED = new Int32Array([1]);
  t.equal(
    one(sqe => sqe.cmdSetsockopt(receiver, 1, 16, PASSCRED)),
    0,
  );
  receive(named);
  t.ok(message.control.length > 0, 'credentials');
  t.equal(message.flags, 0, 'not MSG_CTRUNC');
  for (const fd of [receiver, nameless, named]) closeSync(fd);
});

t.test('sendmsg gathers, and carries ancillary data', { skip: needsBind }, async t => {
  const [a] = datagram();
  const [b, to] = datagram();
  // IP_RECVTOS on b, and IP_TOS as a control message from a
  const [SOL_IP, IP_TOS, IP_RECVTOS] = [0, 1, 13];
  libc().setsockopt(b, SOL_IP, IP_RECVTOS, Buffer.from([1, 0, 0, 0]));
  const control = Buffer.alloc(24);
  control.writeBigUInt64LE(20n, 0);
  control.writeInt32LE(SOL_IP, 8);
  control.writeInt32LE(IP_TOS, 12);
  control.writeInt32LE(0x2c, 16);
  const out = new Message({ buffers: [Buffer.from('a'), Buffer.from('b')], address: to, control });
  t.equal(
    one(sqe => sqe.sendmsg(a, out)),
    2,
  );
  const buffer = Buffer.alloc(8);
  const message = new Message({ buffers: [buffer], control: 64 });
  t.equal(
    one(sqe => sqe.recvmsg(b, message)),
    2,
  );
  t.equal(buffer.toString('latin1', 0, 2), 'ab');
  t.equal(message.control[16], 0x2c);
  closeSync(a);
  closeSync(b);
});

t.test('recvmsgMultishot parses what lies in the provided buffer', { skip: needsBind }, async t => {
  const [a, from] = datagram();
  const [b, to] = datagram();
  const group = new abi.BufRing(ring, { group: 4, entries: 4, bufferSize: 256 });
  const shape = new Message({ address: true });
  ring.getSqe()!.recvmsgMultishot(b, shape, 4).userData(1);
  ring.submit();
  for (const text of ['one', 'two']) {
    ring.getSqe()!.sendto(a, Buffer.from(text), to).userData(2);
    ring.submit();
    for (let got = false; !got; ) {
      for (const cqe of ring.copyCqes(1)) {
        if (cqe.userData !== 1) continue;
        got = true;
        const id = abi.BufRing.idOf(cqe.flags);
        const received = shape.parse(group.bytes, id * 256, cqe.res);
        t.equal(String(received.payload), text);
        t.equal(received.length, 3);
        t.strictSame(received.address, from);
        group.recycle(id);
        group.publish();
      }
    }
  }
  t.equal(several(2, sqe => sqe.cancel(1).userData(3)).get(3), 0);
  ring.copyCqes();
  group.close();
  closeSync(a);
  closeSync(b);
});

t.test('zero-copy sends complete, then say that the buffer is free', async t => {
  const [a, b] = streams();
  const data = Buffer.alloc(10_000, 'z');
  const buffer = Buffer.alloc(10_000);
  const receive = (received: number): void => {
    ring.getSqe()!.recv(b, buffer.subarray(received)).userData(8);
    ring.submit();
  };
  ring.getSqe()!.sendZc(a, data, 0, abi.SEND_ZC_REPORT_USAGE).userData(7);
  receive(0);
  // The notification may come at any time after the send.
  for (let received = 0, notified = false; received < 10_000 || !notified; ) {
    for (const cqe of ring.copyCqes(1)) {
      if (cqe.userData === 8) {
        received += cqe.res;
        if (received < 10_000) receive(received);
      } else if (cqe.flags & abi.CQE_F_NOTIF) {
        t.notOk(cqe.flags & abi.CQE_F_MORE, 'the notification is the last');
        notified = true;
      } else t.ok(cqe.res === 10_000 && cqe.flags & abi.CQE_F_MORE, 'a notification will come');
    }
  }
  t.ok(buffer.equals(data));
  closeSync(a);
  closeSync(b);
});

t.test('sendmsgZc', async t => {
  const [a, b] = streams();
  const message = new Message({ buffers: [Buffer.from('zero '), Buffer.from('copy')] });
  const buffer = Buffer.alloc(16);
  ring.getSqe()!.sendmsgZc(a, message).userData(1);
  ring.getSqe()!.recv(b, buffer).userData(2);
  ring.submit();
  const cqes: Cqe[] = [];
  while (cqes.length < 3) cqes.push(...ring.copyCqes(1));
  const [sent, notification] = cqes.filter(cqe => cqe.userData === 1);
  t.equal(sent!.res, 9);
  t.ok(notification!.flags & abi.CQE_F_NOTIF);
  t.equal(buffer.toString('latin1', 0, 9), 'zero copy');
  closeSync(a);
  closeSync(b);
});

t.test('bundles send and receive several buffers at once', async t => {
  if (!(ring.features & abi.FEAT_RECVSEND_BUNDLE)) return t.comment('no bundles before Linux 6.10');
  const [a, b] = streams();
  const group = new abi.BufRing(ring, { group: 5, entries: 4, bufferSize: 8 });
  group.bytes.write('bundles travel light');
  t.equal(
    one(sqe => sqe.sendBundle(a, 5)),
    32,
    'all four buffers',
  );
  for (let id = 0; id < 4; id++) group.recycle(id);
  group.publish();
  group.bytes.fill(0);
  const cqe = complete(sqe => sqe.recvMultishot(b, 5).bundle());
  t.equal(cqe.res, 32, 'one completion');
  t.match(group.bytes.toString('latin1'), /^bundles travel light/);
  // It has ended by itself if it found no more buffers.
  const ends = cqe.flags & abi.CQE_F_MORE ? 2 : 1;
  several(ends, sqe => sqe.cancelFd(b, abi.ASYNC_CANCEL_ALL).userData(1));
  group.close();
  closeSync(a);
  closeSync(b);
});

t.test('pollFirst and dontWait', async t => {
  const [a, b] = streams();
  const buffer = Buffer.alloc(8);
  ring.getSqe()!.recv(b, buffer).pollFirst().userData(1);
  ring.getSqe()!.send(a, Buffer.from('now')).userData(2);
  ring.submit(2);
  t.strictSame(new Map(ring.copyCqes().map(cqe => [cqe.userData, cqe.res])).get(1), 3);
  const listener = one(sqe => sqe.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
  libc().listen(listener, 1);
  const res = one(sqe => sqe.accept(listener).dontWait());
  t.ok(res === -11 || res === -22, 'EAGAIN; EINVAL before 6.10');
  for (const fd of [a, b, listener]) closeSync(fd);
});

t.test('commands of sockets', async t => {
  const [a, b] = streams();
  one(sqe => sqe.send(a, Buffer.from('12345')));
  // On a busy machine what was sent arrives later.
  one(sqe => sqe.pollAdd(b, POLLIN));
  const waiting = one(sqe => sqe.cmdSockQueue(abi.SOCKET_URING_OP_SIOCINQ, b));
  if (waiting === -95) return t.comment('EOPNOTSUPP: no socket commands before Linux 6.7');
  t.equal(waiting, 5);
  t.equal(
    one(sqe => sqe.cmdSockQueue(abi.SOCKET_URING_OP_SIOCOUTQ, b)),
    0,
    'it has sent nothing',
  );
  const [SOL_SOCKET, SO_RCVBUF] = [1, 8];
  const value = Buffer.from([0, 0x40, 0, 0]);
  t.equal(
    one(sqe => sqe.cmdSetsockopt(b, SOL_SOCKET, SO_RCVBUF, value)),
    0,
  );
  const read = Buffer.alloc(4);
  t.equal(
    one(sqe => sqe.cmdGetsockopt(b, SOL_SOCKET, SO_RCVBUF, read)),
    4,
  );
  t.equal(read.readInt32LE(), 0x8000, 'the kernel doubles it');
  closeSync(a);
  closeSync(b);
});

t.test('epoll', { skip: lacking(['EPOLL_WAIT', abi.OP_EPOLL_WAIT, '6.15']) }, async t => {
  const [a, b] = streams();
  const koffi = (await import('koffi')).default;
  const epoll = koffi.load(null).func('int epoll_create1(int)')(0x80000) as number;
  const [EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLIN] = [1, 2, 1];
  t.equal(
    one(sqe => sqe.epollCtl(epoll, EPOLL_CTL_ADD, b, EPOLLIN, 77)),
    0,
  );
  one(sqe => sqe.send(a, Buffer.from('x')));
  const events = Buffer.alloc(64);
  t.equal(
    one(sqe => sqe.epollWait(epoll, events)),
    1,
  );
  t.equal(events.readUInt32LE(0), EPOLLIN);
  t.equal(events.readUInt32LE(process.arch === 'x64' ? 4 : 8), 77);
  t.equal(
    one(sqe => sqe.epollCtl(epoll, EPOLL_CTL_DEL, b)),
    0,
  );
  t.equal(
    one(sqe => sqe.epollCtl(epoll, EPOLL_CTL_DEL, b)),
    -2,
  );
  for (const fd of [a, b, epoll]) closeSync(fd);
});
