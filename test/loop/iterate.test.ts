/** `loop().iterate`: the completions of multishot operations. */

import { once } from 'node:events';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { loop } from 'uasync';
import * as abi from 'uasync/ring';
import { eventfd, getsockname, type InetAddress, inetAddress, POLLIN, probe, Ring } from 'uasync/ring';
import { libc } from '../../src/sys/libc/libc.js';
import { checkLeaks, makeFifo, openFds, scratchFolder, until, whenClosed } from '../harness.js';

checkLeaks();
const folder = scratchFolder();

/** A listening socket of 127.0.0.1. */
async function listening(): Promise<[fd: number, port: number]> {
  const fd = libc().socket(abi.AF_INET, abi.SOCK_STREAM, 0);
  await loop().submit(sqe => sqe.bind(fd, inetAddress('127.0.0.1', 0)));
  await loop().submit(sqe => sqe.listen(fd, 64));
  return [fd, (getsockname(fd) as InetAddress).port];
}

const skip = probe().supports(abi.OP_BIND) ? false : 'this kernel has no BIND: it came with Linux 6.11';

t.test('a poll completes each time, and break cancels it', async t => {
  const fifo = openSync(makeFifo(folder, 'poll'), constants.O_RDWR | constants.O_NONBLOCK);
  const bytes = Buffer.alloc(10);
  let seen = 0;
  writeSync(fifo, 'a');
  for await (const { res, flags, bufferId } of loop().iterate(sqe => sqe.pollMultishot(fifo, POLLIN))) {
    t.ok(res & POLLIN);
    t.ok(flags & abi.CQE_F_MORE);
    t.equal(bufferId, -1);
    t.equal(loop().stats().inFlight, 1);
    readSync(fifo, bytes);
    if (++seen === 3) break;
    writeSync(fifo, 'b');
  }
  t.equal(loop().stats().inFlight, 0, 'it is over when the loop is left');
  closeSync(fifo);
});

t.test('a multishot timeout ticks, and ends with its last completion', async t => {
  const ticks: number[] = [];
  const ticking = loop().iterate(sqe => sqe.timeout(1, 3, abi.TIMEOUT_MULTISHOT));
  for await (const { res, flags } of ticking) {
    t.equal(res, -62, 'ETIME');
    ticks.push(flags & abi.CQE_F_MORE);
  }
  t.strictSame(ticks, [2, 2, 0]);
  t.strictSame(await ticking.next(), { done: true, value: undefined });
});

t.test('an operation with one completion is an iteration of one', async t => {
  const results: number[] = [];
  for await (const { res } of loop().iterate(sqe => sqe.nop())) results.push(res);
  t.strictSame(results, [0]);
});

t.test('accepts connections; those that are not taken are closed', { skip }, async t => {
  const [fd, port] = await listening();
  const before = openFds();
  const accepting = loop().iterate(sqe => sqe.multishotAccept(fd));
  const clients = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const client = net.connect(port, '127.0.0.1');
      await once(client, 'connect');
      return client;
    }),
  );
  const ends = Promise.all(clients.map(client => once(client.resume(), 'close')));
  // Both ends of each: on a busy machine a client is connected before its connection can be accepted.
  await until(() => openFds() === before + 10);
  const first = await accepting.next();
  t.notOk(first.done);
  closeSync(first.value!.res);
  t.strictSame(await accepting.return!(), { done: true, value: undefined });
  t.strictSame(await accepting.next(), { done: true, value: undefined });
  closeSync(fd);
  // Four were not taken: their peers see the end all the same.
  await ends;
  t.equal(loop().stats().inFlight, 0);
});

const noBuffers = !loop().supports('provide_buffers') && 'this backend is not given buffers by operations';

t.test('receives into provided buffers, to the end', { skip: skip || noBuffers }, async t => {
  const [listener, port] = await listening();
  const client = await loop().submit(sqe => sqe.socket(abi.AF_INET, abi.SOCK_STREAM));
  await loop().submit(sqe => sqe.connect(client, inetAddress('127.0.0.1', port)));
  const server = await loop().submit(sqe => sqe.accept(listener));
  const bytes = Buffer.alloc(4 * 16);
  await loop().submit(sqe => sqe.provideBuffers(bytes, 16, 4, 7));
  const receiving = loop().iterate(sqe => sqe.recvMultishot(server, 7));
  let text = '';
  await loop().submit(sqe => sqe.send(client, 'one'));
  for await (const { res, bufferId } of receiving) {
    if (res === 0) break;
    text += bytes.toString('latin1', bufferId * 16, bufferId * 16 + res);
    await loop().submit(sqe => sqe.provideBuffers(bytes.subarray(bufferId * 16), 16, 1, 7, bufferId));
    if (text === 'one') await loop().submit(sqe => sqe.send(client, ' and two'));
    else await loop().submit(sqe => sqe.shutdown(client, abi.SHUT_WR));
  }
  t.equal(text, 'one and two');
  const without = loop().iterate(sqe => sqe.recvMultishot(client, 99));
  await loop().submit(sqe => sqe.send(server, 'x'));
  await t.rejects(without.next(), { code: 'ENOBUFS', syscall: 'recv' });
  t.strictSame(await without.next(), { done: true, value: undefined }, 'an error is told once');
  for (const fd of [listener, client, server]) closeSync(fd);
  await loop()
    .submit(sqe => sqe.removeBuffers(4, 7))
    .catch(() => {});
});

t.test('a signal ends it with an AbortError, after what has come', async t => {
  const fifo = openSync(makeFifo(folder, 'abort'), constants.O_RDWR | constants.O_NONBLOCK);
  const controller = new AbortController();
  const reason = new Error('enough');
  writeSync(fifo, 'a');
  const polling = loop().iterate(sqe => sqe.pollMultishot(fifo, POLLIN), { signal: controller.signal });
  await loop().submit(sqe => sqe.nop());
  loop().poll();
  controller.abort(reason);
  t.equal((await polling.next()).value?.res, POLLIN);
  await t.rejects(polling.next(), { name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  t.strictSame(await polling.next(), { done: true, value: undefined });
  t.throws(() => loop().iterate(sqe => sqe.nop(), { signal: controller.signal }), { name: 'AbortError' });
  closeSync(fifo);
});

t.test('who does not keep up is told', async t => {
  const ticking = loop().iterate(sqe => sqe.timeout(1, 0, abi.TIMEOUT_MULTISHOT), { highWaterMark: 4 });
  let ticks = 0;
  await t.rejects(
    (async () => {
      // It goes on until the operation has ended by itself.
      while (loop().stats().inFlight !== 0) await new Promise(resolve => setImmediate(resolve));
      for await (const _ of ticking) ticks++;
    })(),
    { code: 'ERR_QUEUE_FULL' },
  );
  t.ok(ticks >= 4 && ticks < 1000, `${ticks} were delivered`);
});

t.test('several may wait; return settles them all; throw too', async t => {
  const fifo = openSync(makeFifo(folder, 'several'), constants.O_RDWR | constants.O_NONBLOCK);
  const polling = loop().iterate(sqe => sqe.pollMultishot(fifo, POLLIN));
  const both = Promise.all([polling.next(), polling.next()]);
  const done = { done: true, value: undefined };
  t.strictSame(await Promise.all([polling.return!(), polling.return!()]), [done, done]);
  t.strictSame(await both, [done, done]);
  const again = loop().iterate(sqe => sqe.pollMultishot(fifo, POLLIN));
  await t.rejects(again.throw!(new Error('mine')), { message: 'mine' });
  await loop()
    .iterate(sqe => sqe.pollMultishot(fifo, POLLIN))
    [Symbol.asyncDispose]();
  closeSync(fifo);
});

t.test('wrong arguments are refused at once', async t => {
  t.throws(() => loop().iterate(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => loop().iterate(() => {}, null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => loop().iterate(() => {}, { highWaterMark: 0 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => loop().iterate(() => {}, { signal: 5 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => loop().iterate(() => {}, { signals: 5 } as never), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => loop().iterate(async () => {}), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => loop().iterate(sqe => sqe.read(-1, null)), { code: 'ERR_OUT_OF_RANGE' });
  for (const fill of [
    (sqe: abi.Sqe) => sqe.splice(0, 0, 1, -1, 1, abi.SPLICE_F_FD_IN_FIXED),
    (sqe: abi.Sqe) => sqe.msgRingFdAlloc(0, 0, 1),
    (sqe: abi.Sqe) => sqe.read(0, null).fixedFile(),
  ]) {
    t.throws(() => loop().iterate(fill), { code: 'ERR_RESERVED_FILES' });
  }
});

t.test('a ring of one’s own is awaited by its descriptor', async t => {
  const ring = new Ring(8);
  const seen: unknown[] = [];
  for (let i = 0; i < 3; i++)
    ring
      .getSqe()!
      .timeout(i * 2)
      .userData(i);
  ring.submit();
  while (seen.length < 3) {
    t.equal(await loop().submit(sqe => sqe.pollAdd(ring.fd, POLLIN)), POLLIN);
    ring.forEachCqe(({ userData }) => seen.push(userData));
  }
  t.strictSame(seen, [0, 1, 2]);
  ring.close();
});

t.test('an eventfd counts the completions of a ring of one’s own', async t => {
  const ring = new Ring(8);
  const counter = eventfd();
  ring.registerEventfd(counter);
  const count = new BigUint64Array(1);
  t.throws(() => readSync(counter, count), { code: 'EAGAIN' }, 'nothing has come');
  ring.getSqe()!.nop();
  ring.submit();
  t.equal(await loop().submit(sqe => sqe.read(counter, count)), 8);
  t.equal(count[0], 1n);
  ring.close();
  closeSync(counter);
});

t.test('closing the loop ends it', async t => {
  const fifo = openSync(makeFifo(folder, 'close'), constants.O_RDWR | constants.O_NONBLOCK);
  const polling = loop().iterate(sqe => sqe.pollMultishot(fifo, POLLIN));
  const next = polling.next();
  const rejected = t.rejects(next, { code: 'ERR_CLOSED' });
  loop().close();
  await rejected;
  t.strictSame(await polling.next(), { done: true, value: undefined });
  closeSync(fifo);
  loop();
});

t.test('of a multishot operation `submit` takes the first result, and no more', { skip }, async t => {
  const [fd, port] = await listening();
  const clients = Array.from({ length: 3 }, () => net.connect(port, '127.0.0.1').resume());
  await Promise.all(clients.map(client => once(client, 'connect')));
  closeSync(await loop().submit(sqe => sqe.multishotAccept(fd)));
  await until(() => loop().stats().inFlight === 0);
  closeSync(fd);
  // Those that were accepted are closed, and the listener resets the others.
  for (const client of clients) client.on('error', () => {});
  await Promise.all(clients.map(client => client.closed || whenClosed(client)));
  await t.rejects(
    loop().submit(sqe => sqe.timeout(1, 0, abi.TIMEOUT_MULTISHOT)),
    { code: /^(ETIME|EINVAL)$/ },
  );
  t.equal(loop().stats().inFlight, 0);
});
