/** Each operation against the real kernel, by what it does to a real file or socket. */
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import {
  AF_INET,
  AT_FDCWD,
  BufRing,
  CQE_F_BUFFER,
  CQE_F_MORE,
  type InetAddress,
  inetAddress,
  MSG_PEEK,
  OP_BIND,
  OP_LISTEN,
  probe,
  SHUT_WR,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  STATX,
  STATX_BASIC_STATS,
} from 'uasync/ring';
import { localAddress } from '../../src/net/address/addresses.js';
import { libc } from '../../src/sys/libc/libc.js';
import { scratchFolder } from '../harness.js';
import { one, ring } from './driver.js';

const folder = scratchFolder();
const O_RDWR_CREAT = 0o102;

t.test('openat, write, read, statx, fsync, close', async t => {
  const path = join(folder, 'file');
  const fd = one(sqe => sqe.openat(AT_FDCWD, path, O_RDWR_CREAT, 0o644));
  t.ok(fd > 0);
  t.equal(
    one(sqe => sqe.write(fd, Buffer.from('hello world'))),
    11,
  );
  t.equal(
    one(sqe => sqe.write(fd, Buffer.from('W'), 6)),
    1,
  );
  t.equal(readFileSync(path, 'latin1'), 'hello World');
  const buffer = Buffer.alloc(32);
  t.equal(
    one(sqe => sqe.read(fd, buffer, 6)),
    5,
  );
  t.equal(buffer.toString('latin1', 0, 5), 'World');
  t.equal(
    one(sqe => sqe.read(fd, buffer, 100)),
    0,
    'past the end',
  );
  const statx = Buffer.alloc(STATX.size);
  t.equal(
    one(sqe => sqe.statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, statx)),
    0,
  );
  t.equal(statx.readUInt32LE(STATX.stx_size), 11);
  t.throws(() => ring.getSqe()!.statx(AT_FDCWD, path, 0, 0, Buffer.alloc(8)), { code: 'ERR_OUT_OF_RANGE' });
  ring.submit(1);
  ring.copyCqes();
  t.equal(
    one(sqe => sqe.fsync(fd)),
    0,
  );
  t.equal(
    one(sqe => sqe.close(fd)),
    0,
  );
  t.equal(
    one(sqe => sqe.close(fd)),
    -9,
    'EBADF',
  );
});

t.test('paths of bytes, long ones, and missing ones', async t => {
  t.equal(
    one(sqe => sqe.openat(AT_FDCWD, Buffer.from(join(folder, 'missing')), 0)),
    -2,
    'ENOENT',
  );
  t.equal(
    one(sqe => sqe.openat(AT_FDCWD, 'x'.repeat(10_000), 0)),
    -36,
    'ENAMETOOLONG',
  );
  const inside = mkdtempSync(join(folder, 'd'));
  writeFileSync(join(inside, 'é'), 'x');
  const dir = openSync(inside, 'r');
  const fd = one(sqe => sqe.openat(dir, 'é', 0));
  t.ok(fd > 0, 'relative to a directory');
  closeSync(fd);
  closeSync(dir);
  t.notOk(existsSync(join(folder, 'missing')));
});

t.test('a chain of many paths in one submission', async t => {
  const names = Array.from({ length: 20 }, (_, i) => join(folder, `${'long'.repeat(200)}/${i}`));
  for (const [i, name] of names.entries()) ring.getSqe()!.openat(AT_FDCWD, name, 0).userData(i);
  ring.submit(20);
  const cqes = ring.copyCqes();
  t.equal(cqes.length, 20);
  for (const cqe of cqes) t.ok(cqe.res === -36 || cqe.res === -2);
});

t.test('sockets: listen, accept, connect, send, recv, shutdown', async t => {
  const listener = one(sqe => sqe.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
  t.ok(listener > 0);
  const has = probe();
  if (has.supports(OP_BIND) && has.supports(OP_LISTEN)) {
    t.equal(
      one(sqe => sqe.bind(listener, inetAddress('127.0.0.1', 0))),
      0,
    );
    t.equal(
      one(sqe => sqe.listen(listener, 8)),
      0,
    );
    t.equal(
      one(sqe => sqe.bind(listener, inetAddress('127.0.0.1', 0))),
      -22,
      'bound already',
    );
  }
  closeSync(listener);

  const server = net.createServer(socket =>
    socket.on('data', data => socket.end(data.toString().toUpperCase())),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const fd = one(sqe => sqe.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
  t.equal(
    one(sqe => sqe.connect(fd, inetAddress('127.0.0.1', port))),
    0,
  );
  t.equal(
    one(sqe => sqe.send(fd, Buffer.from('shout'))),
    5,
  );
  t.equal(
    one(sqe => sqe.shutdown(fd, SHUT_WR)),
    0,
  );
  const buffer = Buffer.alloc(16);
  ring.getSqe()!.recv(fd, buffer, MSG_PEEK);
  ring.submit();
  // The server runs on this thread: it must get its turn.
  while (ring.cqReady === 0) {
    await new Promise(resolve => setImmediate(resolve));
    ring.submitAndGetEvents();
  }
  t.equal(ring.copyCqes(1)[0]!.res, 5);
  t.equal(
    one(sqe => sqe.recv(fd, buffer)),
    5,
    'what was peeked at is still there',
  );
  t.equal(buffer.toString('latin1', 0, 5), 'SHOUT');
  t.equal(
    one(sqe => sqe.close(fd)),
    0,
  );
  await new Promise(resolve => server.close(resolve));
});

t.test('multishot accept and multishot receive with a buffer ring', async t => {
  const listening = one(sqe => sqe.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC));
  libc().listen(listening, 8);
  const { port } = localAddress(listening) as InetAddress;
  const group = new BufRing(ring, { group: 3, entries: 4, bufferSize: 16 });

  ring.getSqe()!.multishotAccept(listening).userData(1);
  ring.submit();
  const clients = [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')];
  const accepted: number[] = [];
  while (accepted.length < 2) {
    await new Promise(resolve => setImmediate(resolve));
    ring.submitAndGetEvents();
    for (const cqe of ring.copyCqes()) {
      if (cqe.res < 0) continue;
      t.ok(cqe.flags & CQE_F_MORE, 'there will be more');
      accepted.push(cqe.res);
    }
  }
  ring.getSqe()!.cancel(1).userData(2);
  ring.submit();

  for (const [i, fd] of accepted.entries())
    ring
      .getSqe()!
      .recvMultishot(fd, 3)
      .userData(10 + i);
  ring.submit();
  for (const client of clients) client.write('x'.repeat(40));
  let bytes = 0;
  while (bytes < 40 * accepted.length) {
    await new Promise(resolve => setImmediate(resolve));
    ring.submitAndGetEvents();
    for (const cqe of ring.copyCqes()) {
      if (cqe.userData < 10) continue;
      if (cqe.res === -105) {
        // ENOBUFS: the connection that ran out of buffers is armed again.
        ring
          .getSqe()!
          .recvMultishot(accepted[Number(cqe.userData) - 10]!, 3)
          .userData(cqe.userData);
        continue;
      }
      t.ok(cqe.res > 0 && cqe.res <= 16);
      t.ok(cqe.flags & CQE_F_BUFFER);
      const id = BufRing.idOf(cqe.flags);
      t.equal(group.bytes.toString('latin1', id * 16, id * 16 + cqe.res), 'x'.repeat(cqe.res));
      bytes += cqe.res;
      group.recycle(id);
      group.publish();
    }
  }
  for (const client of clients) client.destroy();
  for (const [i, fd] of accepted.entries())
    ring
      .getSqe()!
      .cancelFd(fd)
      .userData(20 + i);
  ring.submit();
  // A receive ends by its cancellation or its peer's end, whichever is first.
  const ending = new Set<unknown>([10, 11, 20, 21]);
  while (ending.size !== 0)
    for (const cqe of ring.copyCqes(1)) if (!(cqe.flags & CQE_F_MORE)) ending.delete(cqe.userData);
  for (const fd of accepted) closeSync(fd);
  group.close();
  group.close();
  t.throws(() => group.recycle(0), { code: 'ERR_CLOSED' });
  closeSync(listening);
});

t.test('buffer rings check their arguments', async t => {
  t.throws(() => new BufRing(ring, { group: 70000, entries: 4, bufferSize: 16 }), {
    code: 'ERR_OUT_OF_RANGE',
  });
  t.throws(() => new BufRing(ring, { group: 1, entries: 3, bufferSize: 16 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => new BufRing(ring, { group: 1, entries: 4, provided: 5, bufferSize: 16 }), {
    code: 'ERR_OUT_OF_RANGE',
  });
  const partly = new BufRing(ring, { group: 1, entries: 4, provided: 1, bufferSize: 16 });
  t.equal(partly.available, 1);
  partly.recycle(3);
  partly.publish();
  t.equal(partly.available, 2);
  partly.close();
  const first = new BufRing(ring, { group: 1, entries: 4, bufferSize: 16 });
  t.throws(() => new BufRing(ring, { group: 1, entries: 4, bufferSize: 16 }), { code: 'EEXIST' });
  t.throws(() => first.recycle(4), { code: 'ERR_OUT_OF_RANGE' });
  first.close();
});

t.test('a buffer that nobody else holds survives until its operation has completed', async t => {
  const fd = openSync('/dev/zero', 'r');
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 16; i++) ring.getSqe()!.read(fd, new Uint8Array(8192).fill(1)).userData(i).async();
    ring.submit();
    (globalThis as { gc?: () => void }).gc?.();
    let done = 0;
    while (done < 16) done += ring.copyCqes(1).length;
  }
  t.equal(ring.pins?.size, 0, 'and is let go then');
  closeSync(fd);
});
