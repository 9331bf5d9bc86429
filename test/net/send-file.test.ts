/** `sendFile` of files that are in the page cache, which are not copied, and of files that are not. */
import { closeSync, constants, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import { open } from 'uasync/fs';
import { EAGAIN, EINTR } from '../../src/sys/abi/errno.js';
import { NR_GETTID, NR_RT_SIGPROCMASK, NR_TGKILL } from '../../src/sys/abi/syscall-numbers.js';
import { libc } from '../../src/sys/libc/libc.js';
import { Mapping } from '../../src/sys/memory/mapping.js';
import { checkLeaks, makeFifo, scratchFolder, seededRandom, standstill, turns, until } from '../harness.js';
import { built, output } from '../programs.js';
import { pair, pattern, readAll, unixPair } from './sockets.js';

checkLeaks();

const folder = scratchFolder();
const PAGE = 4096;
const LENGTH = 3 * 2 ** 20 + 7;
const data = pattern(LENGTH);
const path = join(folder, 'data');
writeFileSync(path, data);

/** Whether operations are queued for a file that is cached and small: not where cachestat(2) is missing, or faults are. */
const underFault = process.env.UASYNC_FAULTS !== undefined;

/** The status flags of a descriptor. proc_pid_fdinfo(5) */
function flagsOf(fd: number): number {
  return Number.parseInt(/^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))![1]!, 8);
}

for (const [name, connected] of Object.entries({ TCP: pair, Unix: unixPair })) {
  t.test(`parts of all sizes, over ${name}`, async t => {
    const random = seededRandom(t);
    const [a, b] = await connected(t);
    const file = await open(path);
    const sizes = [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 ** 20, 2 ** 20 + 1, LENGTH];
    for (const size of sizes) {
      const offset = Math.floor(random() * (LENGTH - size));
      const [sent, received] = await Promise.all([
        a.sendFile(file, { offset, length: size }),
        b.readExactly(size),
      ]);
      t.equal(sent, size);
      t.ok(received.equals(data.subarray(offset, offset + size)), `${size} at ${offset}`);
    }
    const rest = readAll(b);
    t.equal(await a.sendFile(file, { offset: 5 }), LENGTH - 5, 'to the end');
    t.equal(await a.sendFile(file, { offset: LENGTH - 5, length: 100 }), 5, 'beyond the end');
    t.equal(await a.sendFile(file, { offset: LENGTH + 5 }), 0, 'from beyond the end');
    await a.close();
    t.ok((await rest).equals(Buffer.concat([data.subarray(5), data.subarray(-5)])));
    await file.close();
  });
}

t.test('a file that is not in the page cache, or only in part', async t => {
  const [a, b] = await pair(t);
  const cold = join(folder, 'cold');
  const file = await open(cold, 'w+');
  await file.writeFile(data);
  await file.sync();
  const drop = async (offset: number, length: number): Promise<void> => {
    await loop().submit(sqe => sqe.fadvise(file.fd, offset, length, 4));
  };
  for (const [offset, length] of [
    [0, LENGTH],
    [2 ** 20, 2 ** 20],
    [0, PAGE],
    [LENGTH - PAGE, PAGE],
  ] as const) {
    await drop(offset, length);
    const [sent, received] = await Promise.all([a.sendFile(file), b.readExactly(LENGTH)]);
    t.equal(sent, LENGTH);
    t.ok(received.equals(data), `without ${length} at ${offset}`);
  }
  await file.close();
});

t.test('the socket is a blocking one again, as the ring needs it', async t => {
  const [a, b] = await pair(t);
  const file = await open(path);
  const before = flagsOf(a.fd);
  const received = b.readExactly(LENGTH);
  await a.sendFile(file);
  t.equal(flagsOf(a.fd), before);
  t.ok((await received).equals(data));
  const waiting = a.read();
  await b.write('still read');
  t.equal(String(await waiting), 'still read');
  await file.close();
});

t.test('a peer that reads slowly gets all of it', async t => {
  const [a, b] = await pair(t);
  b.setRecvBufferSize(65536);
  const file = await open(path);
  const sends = Promise.all([a.sendFile(file), a.write('between'), a.sendFile(file, { length: 10 })]);
  await standstill(() => a.bytesWritten);
  const parts: Buffer[] = [];
  for (let left = LENGTH + 7 + 10; left > 0; left -= parts.at(-1)!.length) {
    parts.push(await b.readExactly(Math.min(left, 100_000)));
  }
  const expected = Buffer.concat([data, Buffer.from('between'), data.subarray(0, 10)]);
  t.ok(Buffer.concat(parts).equals(expected));
  const [first, , last] = await sends;
  t.strictSame([first, last], [LENGTH, 10]);
  await file.close();
});

t.test('many at once, from files of one descriptor each', async t => {
  const pairs = await Promise.all(Array.from({ length: 20 }, () => pair(t)));
  const fds = pairs.map(() => openSync(path, 'r'));
  await Promise.all(
    pairs.map(async ([a, b], i) => {
      const [sent, received] = await Promise.all([a.sendFile(fds[i]!), b.readExactly(LENGTH)]);
      t.equal(sent, LENGTH);
      t.ok(received.equals(data));
    }),
  );
  for (const fd of fds) closeSync(fd);
});

t.test('a peer that resets in the middle', async t => {
  const [a, b] = await pair(t);
  const file = await open(path);
  const sending = t.rejects(
    (async () => {
      for (;;) await a.sendFile(file);
    })(),
    { code: /ECONNRESET|EPIPE/ },
  );
  await b.readExactly(100_000);
  await b.reset();
  await sending;
  await t.rejects(a.write('more'), { code: /ECONNRESET|EPIPE/ });
  await file.close();
});

t.test('a file that shrinks and grows while it is sent', async t => {
  const changing = join(folder, 'changing');
  // More than two sockets hold.
  const size = 20 * 2 ** 20;
  writeFileSync(changing, Buffer.alloc(size, data));
  const [a, b] = await pair(t);
  const file = await open(changing, 'r+');
  const sending = a.sendFile(file);
  await standstill(() => a.bytesWritten);
  await file.truncate(size - 1000);
  await file.write('grown', size - 1000);
  const received = b.readExactly(size - 995);
  t.equal(await sending, size - 995, 'to where the end is by then');
  t.equal(String((await received).subarray(-5)), 'grown');
  await file.close();
});

t.test('a peer that has gone raises no signal', async t => {
  const program = built('test/fixtures/gone-peer.js');
  t.equal(await output(process.execPath, [program, path]), '3\n');
});

t.test('a signal for this process is not discarded', async t => {
  const [a] = await pair(t);
  const file = openSync(path, 'r');
  const { socketCalls } = loop();
  const { syscall } = libc();
  // Until the peer's socket, too, takes no more.
  let total = 0;
  await standstill(() => {
    for (let sent = 0; sent >= 0; sent = socketCalls.sendFile(a.fd, file, 0, LENGTH)) total += sent;
    return total;
  });
  const set = Mapping.anonymous(8);
  const SIGPIPE = 13;
  new Uint32Array(set.buffer)[0] = 1 << (SIGPIPE - 1);
  let handled = false;
  process.once('SIGPIPE', () => {
    handled = true;
  });
  // SIG_BLOCK
  syscall(NR_RT_SIGPROCMASK, 0, set.address, 0, 8, 0, 0);
  syscall(NR_TGKILL, process.pid, syscall(NR_GETTID, 0, 0, 0, 0, 0, 0), SIGPIPE, 0, 0, 0);
  const sent = socketCalls.sendFile(a.fd, file, 0, LENGTH);
  const [, pending] = /^SigPnd:\s*(\w+)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'))!;
  // SIG_UNBLOCK
  syscall(NR_RT_SIGPROCMASK, 1, set.address, 0, 8, 0, 0);
  t.ok(sent === EAGAIN || sent === EINTR, `${sent}`);
  t.equal(Number.parseInt(pending!, 16), 1 << (SIGPIPE - 1));
  // A listener of signals does not keep the process.
  if (pending !== '0'.repeat(16)) await until(() => handled);
  process.removeAllListeners('SIGPIPE');
  set.unmap();
  closeSync(file);
});

t.test('a pipe, to a peer that has ended its side and does not read yet', async t => {
  const [a, b] = await unixPair(t);
  await b.shutdown();
  t.equal(await a.read(), null);
  const fifo = makeFifo(folder, 'slow');
  const source = openSync(fifo, 'r+');
  const sink = await open(fifo, 'w');
  const writing = sink.writeFile(data);
  const sending = a.sendFile(source, { length: LENGTH });
  await standstill(() => a.bytesWritten);
  t.ok((await b.readExactly(LENGTH)).equals(data));
  t.equal(await sending, LENGTH);
  await writing;
  await sink.close();
  closeSync(source);
});

t.test('a pipe without data is waited for, without memory, also if it is non-blocking', async t => {
  const fifo = makeFifo(folder, 'empty');
  for (const flags of [constants.O_RDWR, constants.O_RDWR | constants.O_NONBLOCK]) {
    const [a, b] = await pair(t);
    const source = openSync(fifo, flags);
    const sending = a.sendFile(source, { length: 6 });
    for (const part of ['one', 'two']) {
      await turns(10);
      t.equal(loop().stats().blocks.used, 0);
      writeSync(source, part);
      t.equal(String(await b.readExactly(3)), part);
    }
    t.equal(await sending, 6);
    closeSync(source);
  }
});

for (const [kind, sockets] of [
  ['TCP', pair],
  ['Unix', unixPair],
] as const) {
  t.test(`a peer that goes while a pipe has no data ends the call: ${kind}`, async t => {
    const fifo = makeFifo(folder, `abandoned by ${kind}`);
    const source = openSync(fifo, constants.O_RDWR);
    for (const shut of [false, true]) {
      const [a, b] = await sockets(t);
      if (shut) {
        await b.shutdown();
        t.equal(await a.read(), null);
      }
      const sending = a.sendFile(source);
      writeSync(source, 'some');
      t.equal(String(await b.readExactly(4)), 'some');
      await Promise.all([t.rejects(sending, { code: 'EPIPE', syscall: 'write' }), b.reset()]);
      await t.rejects(a.write('more'), { code: 'EPIPE' });
      await a.close();
    }
    closeSync(source);
  });
}

t.test('a loop that closes meanwhile', async t => {
  const [a, b] = await pair(t);
  const file = await open(path);
  const sending = [a.sendFile(file), a.sendFile(file), a.sendFile(file)].map(sent =>
    t.rejects(sent, { code: 'ERR_CLOSED' }),
  );
  loop().close();
  // The memory of its calls may belong to this one by now.
  const { calls } = loop();
  t.equal(calls.statFd(0), 0);
  await Promise.all(sending);
  await Promise.all([a.reset(), b.reset(), file.close()]);
});

const noCall = underFault ? 'faults are injected' : cannotTell();

/** Why the kernel does not tell what is cached. */
function cannotTell(): string | false {
  const fd = openSync(path, 'r');
  const cached = loop().socketCalls.isCached(fd, 0, PAGE);
  closeSync(fd);
  return cached === 1 ? false : 'the kernel does not tell what is cached: cachestat(2), 6.5';
}

t.test('cached bytes need no operation of the backend', { skip: noCall }, async t => {
  const [a, b] = await pair(t);
  const file = await open(path);
  const reading = b.readExactly(200_000);
  const { submitted } = loop().stats();
  t.equal(await a.sendFile(file, { length: 200_000 }), 200_000);
  t.equal(loop().stats().submitted, submitted);
  t.ok((await reading).equals(data.subarray(0, 200_000)));
  await file.close();
});
