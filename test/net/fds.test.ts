/** Descriptors over Unix sockets. */
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { open } from 'uasync/fs';
import { type Connection, connect, listen, openConnection, type UnixAddress } from 'uasync/net';
import { checkLeaks, openFds, scratchFolder } from '../harness.js';
import { built, output } from '../programs.js';
import { type Ending, pair, unixPair } from './sockets.js';

checkLeaks();

const folder = scratchFolder();
const file = join(folder, 'file');
writeFileSync(file, 'what is in the file');

let pairs = 0;

/** A pair of connections that take descriptors. */
async function fdPair(test: Ending): Promise<[Connection<UnixAddress>, Connection<UnixAddress>]> {
  const path = `\0uasync-fds-${process.pid}-${pairs++}`;
  await using server = await listen({ path, receiveFds: true });
  const both = await Promise.all([connect({ path, receiveFds: true }), server.accept()]);
  test.teardown(async () => {
    await Promise.all(both.map(conn => conn.reset()));
  });
  return both;
}

/** Of a file of its own. */
function text(fd: number): string {
  const bytes = Buffer.alloc(100);
  const length = readSync(fd, bytes, 0, bytes.length, 0);
  closeSync(fd);
  return bytes.toString('utf8', 0, length);
}

function isInherited(fd: number): boolean {
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!;
  return (Number.parseInt(flags, 8) & 0o2000000) === 0;
}

/** Until as few are open; they close in the kernel's own time. */
async function untilOpen(count: number): Promise<void> {
  while (openFds() > count) await new Promise(resolve => setTimeout(resolve, 5));
}

t.test('those that were not taken are closed, also after the loop', async t => {
  const [a, b] = await fdPair(t);
  await using handle = await open(file);
  const before = openFds();
  await a.sendFds([handle], 'first');
  t.equal(String(await b.peek(5)), 'first');
  t.equal(openFds(), before + 1);
  // What a loop has open itself is not counted.
  const fd = handle.fd;
  loop().close();
  const without = openFds();
  await b.close();
  t.equal(openFds(), without - 2, 'the socket and the descriptor');
  t.ok(fstatSync(fd).isFile(), 'the one that was sent stays');
});

t.test('a descriptor arrives with its bytes, as one of its own', async t => {
  const [a, b] = await fdPair(t);
  await using handle = await open(file);
  const receiving = b.recvFds();
  await a.sendFds([handle], 'take this');
  const got = (await receiving)!;
  t.equal(String(got.data), 'take this');
  t.equal(got.fds.length, 1);
  t.notOk(got.truncated);
  t.not(got.fds[0], handle.fd);
  t.notOk(isInherited(got.fds[0]!));
  t.equal(text(got.fds[0]!), 'what is in the file');
  t.equal(a.bytesWritten, 9);
  t.equal(b.bytesRead, 9);
  await a.write('only bytes');
  t.strictSame(await b.recvFds(), { data: Buffer.from('only bytes'), fds: [], truncated: false });
  await a.shutdown();
  t.equal(await b.recvFds(), null);
});

t.test('as many as the kernel takes with one message, and no more', async t => {
  const [a, b] = await fdPair(t);
  const fd = openSync(file, 'r');
  await a.sendFds(new Array(253).fill(fd), 'x');
  const { fds } = (await b.recvFds())!;
  t.equal(new Set(fds).size, 253);
  for (const fd of fds) closeSync(fd);
  await t.rejects(a.sendFds(new Array(254).fill(fd), 'x'), { code: 'ERR_OUT_OF_RANGE' });
  closeSync(fd);
});

t.test('they stay in order with writes, and with each other', async t => {
  const [a, b] = await fdPair(t);
  const fds = [openSync(file, 'r'), openSync('/dev/null', 'r')];
  const { ino } = fstatSync(fds[0]!);
  const sending = [
    a.write('header of two\n'),
    a.sendFds(fds, 'first'),
    a.sendFds([fds[0]!], 'second'),
    a.write(Buffer.from('the end\n')),
  ];
  t.equal(String(await b.readUntil('\n')), 'header of two\n');
  const first = (await b.recvFds())!;
  t.equal(String(first.data), 'first');
  t.same(
    first.fds.map(fd => fstatSync(fd).ino === ino),
    [true, false],
  );
  const second = (await b.recvFds())!;
  t.equal(String(second.data), 'second');
  t.same(
    second.fds.map(fd => fstatSync(fd).ino === ino),
    [true],
  );
  t.equal(String(await b.readUntil('\n')), 'the end\n');
  await Promise.all(sending);
  for (const fd of [...fds, ...first.fds, ...second.fds]) closeSync(fd);
});

t.test('data that is put back is read in whatever way', async t => {
  const [a, b] = await fdPair(t);
  const fd = openSync(file, 'r');
  await a.sendFds([fd], 'a line\nand another\n');
  t.equal(String(await b.peek(6)), 'a line');
  const { data, fds } = (await b.recvFds())!;
  b.unread(data);
  t.equal(String(await b.readUntil('\n')), 'a line\n');
  t.equal(String(await b.readUntil('\n')), 'and another\n');
  t.equal(text(fds[0]!), 'what is in the file');
  closeSync(fd);
});

t.test('more bytes than the socket holds', async t => {
  const [a, b] = await fdPair(t);
  const fd = openSync(file, 'r');
  const bytes = Buffer.alloc(3 << 20, 'x');
  const sending = a.sendFds([fd], bytes).then(() => a.write('behind'));
  let received = 0;
  const fds: number[] = [];
  while (received < bytes.length + 6) {
    const got = (await b.recvFds())!;
    received += got.data.length;
    fds.push(...got.fds);
  }
  await sending;
  t.equal(received, bytes.length + 6);
  t.equal(fds.length, 1);
  t.equal(text(fds[0]!), 'what is in the file');
  closeSync(fd);
});

t.test('descriptors that nobody takes are closed: by plain reads, iteration and close', async t => {
  const [a, b] = await fdPair(t);
  const fd = openSync(file, 'r');
  const before = openFds();
  const ways: [string, () => Promise<unknown>][] = [
    ['read', () => b.read()],
    ['readInto', () => b.readInto(Buffer.alloc(10))],
    ['readExactly', () => b.readExactly(4)],
    ['readUntil', () => b.readUntil('4')],
  ];
  for (const [way, read] of ways) {
    await a.sendFds([fd, fd], '1234');
    await b.peek(1);
    t.equal(openFds(), before + 2, `${way}: they are there`);
    await read();
    await untilOpen(before);
  }
  // One that takes half of the bytes leaves them.
  await a.sendFds([fd], '1234');
  t.equal(String(await b.readExactly(2)), '12');
  const { data, fds } = (await b.recvFds())!;
  t.equal(String(data), '34');
  t.equal(text(fds[0]!), 'what is in the file');

  await a.sendFds([fd], '1234');
  await b.peek(1);
  await b.close();
  await untilOpen(before - 1);
  t.pass('all were closed');
  closeSync(fd);
});

t.test('without receiveFds the kernel closes them, and the bytes arrive', async t => {
  const [a, b] = await unixPair(t);
  const fd = openSync(file, 'r');
  const before = openFds();
  await a.sendFds([fd, fd], 'hello');
  t.equal(String(await b.read()), 'hello');
  t.equal(openFds(), before);
  await t.rejects(b.recvFds(), { code: 'ERR_INVALID_STATE' });
  closeSync(fd);
});

t.test('giving up loses none, on either side', async t => {
  const [a, b] = await fdPair(t);
  const fd = openSync(file, 'r');
  await t.rejects(b.recvFds({ timeout: 1 }), { code: 'ETIMEDOUT', syscall: 'read' });
  const controller = new AbortController();
  const receiving = b.recvFds({ signal: controller.signal });
  await a.sendFds([fd], 'x');
  controller.abort();
  const given = await receiving.catch(error => error.code);
  const { fds } = given === 'ABORT_ERR' ? (await b.recvFds())! : given;
  t.equal(text(fds[0]), 'what is in the file');

  // The peer reads nothing: a message that waits for the one before it is not sent.
  const filling = a.write(Buffer.alloc(4 << 20));
  await t.rejects(a.sendFds([fd], 'never', { timeout: 1 }), { code: 'ETIMEDOUT' });
  const dropped = t.rejects(filling, { code: 'ERR_CLOSED' });
  await a.reset();
  await dropped;
  closeSync(fd);
});

t.test('a connection is handed over', async t => {
  const [a, b] = await fdPair(t);
  const [client, conn] = await pair(t);
  await a.sendFds([conn], 'yours');
  // The descriptor is closed here; the connection is not.
  await conn.remains.abandon();
  const { fds } = (await b.recvFds())!;
  const ours = openConnection(fds[0]!);
  await ours.write('hello from elsewhere');
  t.equal(String(await client.read()), 'hello from elsewhere');
  await Promise.all([ours.close(), client.close()]);
});

t.test('a listener is handed over, and its connections take descriptors', async t => {
  const path = join(folder, 'listener');
  const first = await listen({ path });
  const [a, b] = await fdPair(t);
  await a.sendFds([first], 'serve');
  const { fds } = (await b.recvFds())!;
  const second = await listen({ fd: fds[0]!, receiveFds: true });
  await first.close();
  t.same(second.address, { path });
  // Its file went with the first: it is reached through connections that were made before.
  await second.close();
});

t.test('where no descriptor is free some are lost, and it is said', async t => {
  const path = join(folder, 'few');
  await using server = await listen({ path });
  const command = 'ulimit -n 120; exec "$0" "$1" "$2"';
  const printed = output('/bin/sh', [
    '-c',
    command,
    process.execPath,
    built('test/fixtures/receives-fds.js'),
    path,
  ]);
  await using conn = await server.accept();
  const fd = openSync(file, 'r');
  await conn.sendFds(new Array(250).fill(fd), 'many');
  const [data, count, truncated] = JSON.parse(await printed);
  t.equal(data, 'many');
  t.ok(count > 0 && count < 120, `${count} arrived`);
  t.ok(truncated);
  closeSync(fd);
});

t.test('those of a terminated worker are closed', async t => {
  const path = join(folder, 'worker');
  await using server = await listen({ path });
  const worker = new Worker(built('test/fixtures/receives-fds-worker.js'), { workerData: path });
  const received = once(worker, 'message');
  const conn = await server.accept();
  // A connection ends when the last descriptor of it is closed.
  const [reader, writer] = await pair(t);
  await conn.sendFds([writer], 'x');
  await writer.remains.abandon();
  await received;
  await worker.terminate();
  t.equal(await reader.read(), null, 'nobody has it any more');
  await Promise.all([reader.close(), conn.close()]);
});

t.test('wrong arguments', async t => {
  const [a, b] = await fdPair(t);
  const [tcp] = await pair(t);
  const type = { code: 'ERR_INVALID_ARG_TYPE' };
  const range = { code: 'ERR_OUT_OF_RANGE' };
  await t.rejects(a.sendFds(1 as never, 'x'), type);
  await t.rejects(a.sendFds(['1'] as never, 'x'), type);
  await t.rejects(a.sendFds([0], 1 as never), type);
  await t.rejects(a.sendFds([0], 'x', null as never), type);
  await t.rejects(b.recvFds(null as never), type);
  await t.rejects(a.sendFds([], 'x'), range);
  await t.rejects(a.sendFds([0], ''), range);
  await t.rejects(a.sendFds([-2], 'x'), range);
  await t.rejects(a.sendFds([100_000], 'x'), { code: 'EBADF', syscall: 'sendmsg' });
  await a.write('it goes on');
  t.equal(String(await b.read()), 'it goes on');
  await t.rejects(tcp.sendFds([0], 'x'), { code: 'ERR_INVALID_STATE' });
  await t.rejects(tcp.recvFds(), { code: 'ERR_INVALID_STATE' });
  const value = { code: 'ERR_INVALID_ARG_VALUE' };
  await t.rejects(listen({ port: 0, receiveFds: true }), value);
  await t.rejects(connect({ port: 1, receiveFds: true }), value);
  t.throws(() => openConnection(tcp.fd, { receiveFds: true }), value);
  await a.close();
  await t.rejects(a.sendFds([0], 'x'), { code: 'ERR_CLOSED' });
  t.equal(await b.recvFds(), null);
  await b.close();
  await t.rejects(b.recvFds(), { code: 'ERR_CLOSED' });
});
