/** Pipes, FIFOs, terminals and files as streams. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { openPipe, type Pipe } from 'uasync/net';
import { checkLeaks, makeFifo, openFds, scratchFolder, seededRandom, turns } from '../harness.js';
import { built, output } from '../programs.js';

checkLeaks();

const folder = scratchFolder();
let count = 0;

/** A FIFO, and both its ends, which `flags` makes blocking or not. */
function fifo(flags = 0): [reader: number, writer: number, path: string] {
  const path = makeFifo(folder, `fifo-${count++}`);
  const first = openSync(path, constants.O_RDWR);
  const reader = openSync(path, constants.O_RDONLY | flags);
  const writer = openSync(path, constants.O_WRONLY | flags);
  closeSync(first);
  return [reader, writer, path];
}

/** Both ends of a pipe as streams. */
function pipe(flags = 0): [reader: Pipe, writer: Pipe] {
  const [reader, writer] = fifo(flags);
  return [openPipe(reader), openPipe(writer)];
}

for (const [name, flags] of [
  ['blocking', 0],
  ['non-blocking', constants.O_NONBLOCK],
] as const) {
  t.test(`a ${name} FIFO: reads wait for bytes, writes for room`, async t => {
    const [reader, writer] = pipe(flags);
    const first = reader.read();
    await writer.write('hello');
    t.equal(String(await first), 'hello');
    await writer.write(['strings, ', Buffer.from('buffers'), '']);
    t.equal(String(await reader.read()), 'strings, buffers');
    const small = Buffer.alloc(3);
    await writer.write('1234567');
    t.equal(await reader.readInto(small), 3);
    t.equal(await reader.readInto(small), 3);
    t.equal(await reader.readInto(small), 1);

    const random = seededRandom(t);
    const data = Buffer.from(Array.from({ length: 1 << 20 }, () => random() * 256));
    const writing = writer.write(data).then(() => writer.close());
    const parts: Buffer[] = [];
    for await (const chunk of reader) parts.push(chunk);
    await writing;
    t.ok(data.equals(Buffer.concat(parts)));
    t.equal(reader.bytesRead, writer.bytesWritten);
    t.equal(reader.fd, -1, 'the end of the iteration has closed it');
    await t.rejects(reader.read(), { code: 'ERR_CLOSED' });
    await t.rejects(writer.write('x'), { code: 'ERR_CLOSED' });
  });

  t.test(`a ${name} read that is given up takes no byte`, async t => {
    const [reader, writer] = pipe(flags);
    const stop = new AbortController();
    const given = t.rejects(reader.read({ signal: stop.signal }), { code: 'ABORT_ERR' });
    setTimeout(() => stop.abort(), 5);
    await given;
    await t.rejects(reader.read({ timeout: 5 }), { code: 'ETIMEDOUT' });
    await writer.write('whole');
    t.equal(String(await reader.read()), 'whole');

    // At every moment: bytes come while reads give up.
    const random = seededRandom(t);
    const sent = Buffer.from(Array.from({ length: 5000 }, (_, i) => i));
    const writing = (async () => {
      for (let at = 0; at < sent.length; ) {
        const length = 1 + Math.floor(random() * 20);
        await writer.write(sent.subarray(at, at + length));
        at += length;
        if (random() < 0.2) await new Promise(resolve => setImmediate(resolve));
      }
      await writer.close();
    })();
    const got: Buffer[] = [];
    for (;;) {
      const limit = new AbortController();
      const reading = reader.read({ signal: limit.signal });
      const when = random();
      if (when < 0.5) queueMicrotask(() => limit.abort());
      else if (when < 0.75) setImmediate(() => limit.abort());
      const chunk = await reading.catch(error => {
        if (error.code !== 'ABORT_ERR') throw error;
        return Buffer.alloc(0);
      });
      if (chunk === null) break;
      got.push(chunk);
    }
    await writing;
    t.ok(sent.equals(Buffer.concat(got)));
    await reader.close();
  });

  t.test(`a ${name} write with no reader is EPIPE, not a signal`, async t => {
    const [reader, writer] = pipe(flags);
    await writer.write('x');
    await reader.close();
    await t.rejects(writer.write('y'), { code: 'EPIPE', syscall: 'write' });
    await t.rejects(writer.write('z'), { code: 'EPIPE' });
    await writer.close();

    const [slow, full] = pipe(flags);
    const waiting = t.rejects(full.write(Buffer.alloc(1 << 20)), { code: 'EPIPE' });
    await slow.read();
    await slow.close();
    await waiting;
    await full.close();
  });

  t.test(`a ${name} write that waits can be given up, and closing takes the rest away`, async t => {
    const [reader, writer] = pipe(flags);
    // A full pipe, and a write that waits behind.
    const begun = Buffer.alloc(100_000, 'a');
    const first = t.rejects(writer.write(begun, { timeout: 20 }), { code: 'ETIMEDOUT' });
    const second = t.rejects(writer.write('not made', { timeout: 10 }), { code: 'ETIMEDOUT' });
    await Promise.all([first, second]);
    begun.fill('b');
    const third = writer.write('third');
    let text = '';
    while (!text.endsWith('third')) text += await reader.read();
    await third;
    t.equal(text, `${'a'.repeat(100_000)}third`, 'one that has begun is finished');

    const dropped = t.rejects(writer.write(Buffer.alloc(1 << 20)), { code: 'ERR_CLOSED' });
    await new Promise(resolve => setImmediate(resolve));
    await writer.abort();
    await dropped;
    await reader.close();
  });
}

/** Takes a buffer's bytes away. */
function detach(bytes: Uint8Array): void {
  structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
}

t.test('a write whose buffer is detached while it waits fails alone', async t => {
  const [reader, writer] = pipe();
  // What fills the pipe, and then some.
  const large = Buffer.alloc(100_000, '-');
  const first = writer.write(large);
  const parts = ['one', 'two', 'three', 'four'].map(text => new TextEncoder().encode(text));
  const outcomes = parts.map(part =>
    writer.write(part).then(
      () => 'written',
      error => error.code,
    ),
  );
  for (const i of [0, 2]) detach(parts[i]!);
  let text = '';
  while (!text.endsWith('four')) text += await reader.read();
  t.equal(text, `${large}twofour`);
  t.strictSame(await Promise.all(outcomes), ['ERR_INVALID_STATE', 'written', 'ERR_INVALID_STATE', 'written']);
  await first;

  // The last one, with nothing behind it: the pipe is as good as before.
  const again = writer.write(large);
  const last = new Uint8Array(3);
  const lost = t.rejects(writer.write(last), { code: 'ERR_INVALID_STATE' });
  detach(last);
  for (let got = 0; got < large.length; ) got += (await reader.read())!.length;
  await Promise.all([again, lost]);
  await writer.write('goes on');
  t.equal(String(await reader.read()), 'goes on');
  await writer.close();
  await reader.close();
});

t.test('a write whose buffer is detached when part of it is written ends the writing', async t => {
  const [reader, writer] = pipe();
  // More than goes to the kernel at once.
  const half = new Uint8Array(1 << 20).fill(0x61);
  const lost = t.rejects(writer.write(half), { code: 'ERR_INVALID_STATE' });
  const behind = t.rejects(writer.write('behind'), { code: 'ERR_INVALID_STATE' });
  t.match(await reader.read(), /^a+$/);
  detach(half);
  const rest = (async () => {
    for await (const chunk of reader) if (chunk.includes('behind')) t.fail('the reader would not notice');
  })();
  await Promise.all([lost, behind]);
  await t.rejects(writer.write('after'), { code: 'ERR_INVALID_STATE' });
  await writer.close();
  await rest;
});

t.test('a FIFO that nobody writes to: a read waits, and can be closed', async t => {
  const path = makeFifo(folder, 'silent');
  const reader = openPipe(openSync(path, constants.O_RDWR));
  const waiting = t.rejects(reader.read(), { code: 'ERR_CLOSED' });
  await new Promise(resolve => setTimeout(resolve, 20));
  t.equal(loop().stats().inFlight, 1);
  await reader.close();
  await reader.close();
  await waiting;

  // Opened without waiting for a writer it is at its end, until there is one.
  const eager = openPipe(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  t.equal(await eager.read(), null);
  const writer = openSync(path, constants.O_WRONLY);
  writeSync(writer, 'late');
  t.equal(String(await eager.read()), 'late');
  closeSync(writer);
  t.equal(await eager.read(), null);
  await eager.close();
});

t.test('many reads wait, and are served in order', async t => {
  const [reader, writer] = pipe();
  const reads = Array.from({ length: 10 }, () => reader.readInto(Buffer.alloc(1)));
  await writer.write('0123456789');
  t.same(await Promise.all(reads), Array(10).fill(1));
  await reader.close();
  await writer.close();
});

for (const [name, flags] of [
  ['blocking', 0],
  ['non-blocking', constants.O_NONBLOCK],
] as const) {
  t.test(`only what is asked for is read, of a ${name} pipe: the rest is for others`, async t => {
    const [readFd, writeFd] = fifo(flags);
    const reader = openPipe(readFd, { autoClose: false });
    const writer = openPipe(writeFd);
    const left = async (): Promise<string> => {
      // An end of its own, of the same pipe, takes what is there.
      const other = openSync(`/proc/self/fd/${readFd}`, constants.O_RDONLY | constants.O_NONBLOCK);
      const bytes = Buffer.alloc(100);
      const length = readSync(other, bytes);
      closeSync(other);
      return bytes.toString('latin1', 0, length);
    };
    const waiting = reader.readInto(Buffer.alloc(3));
    await writer.write('0123456789');
    t.equal(await waiting, 3);
    t.equal(await reader.readInto(Buffer.alloc(2)), 2);
    t.equal(String(await reader.readExactly(1)), '5');
    t.equal(await left(), '6789');
    t.equal(reader.bytesRead, 6);

    // One that asked for more gives up: the next one does not get its reading.
    const controller = new AbortController();
    const large = t.rejects(reader.readInto(Buffer.alloc(100), { signal: controller.signal }), {
      name: 'AbortError',
    });
    const small = reader.readInto(Buffer.alloc(2));
    controller.abort();
    await large;
    await turns();
    await writer.write('abcdef');
    t.equal(await small, 2);
    t.equal(await left(), 'cdef');

    // Of what comes in two parts nothing is lost by who gives up in between.
    const exact = t.rejects(reader.readExactly(6, { timeout: 50 }), { code: 'ETIMEDOUT' });
    await writer.write('xyz');
    await exact;
    t.equal(String(await reader.readExactly(2)), 'xy');
    const until = reader.readUntil('\n');
    await writer.write('1\n2\n');
    t.equal(String(await until), 'z1\n');
    t.equal(String(await reader.read()), '2\n');
    await t.rejects(reader.readUntil('\n', { max: 0 }), { code: 'ERR_OUT_OF_RANGE' });
    await t.rejects(reader.readExactly(-1), { code: 'ERR_OUT_OF_RANGE' });
    await writer.write('the end');
    await writer.close();
    await t.rejects(reader.readUntil('\n'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    t.equal(String(await reader.readExactly(3)), 'the');
    await t.rejects(reader.readExactly(9), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    t.equal(String(await reader.read()), ' end');
    t.equal(await reader.readInto(Buffer.alloc(1)), 0);
    t.equal(await reader.read(), null);
    await reader.close();
    closeSync(readFd);
  });
}

t.test('a child that inherits standard input gets what was not read', async t => {
  t.equal(await shell("printf 'abcdef' | $NODE", 'hands on'), 'read abc\ndef');
});

t.test('files, /dev/null, and descriptors that are not for it', async t => {
  const path = join(folder, 'file');
  writeFileSync(path, 'x'.repeat(200_000));
  const file = openPipe(openSync(path, 'r'));
  let length = 0;
  for await (const chunk of file) length += chunk.length;
  t.equal(length, 200_000);

  const log = openPipe(openSync(path, 'a'));
  await Promise.all([log.write('one'), log.write('two')]);
  await log.close();
  t.ok(readFileSync(path, 'utf8').endsWith('xonetwo'));

  const nothing = openPipe(openSync('/dev/null', 'r+'));
  t.equal(await nothing.read(), null);
  await nothing.write('gone');
  await nothing.close();

  mkdirSync(join(folder, 'd'));
  const directory = openPipe(openSync(join(folder, 'd'), 'r'));
  await t.rejects(directory.read(), { code: 'EISDIR', syscall: 'read' });
  await directory.close();
  const readOnly = openPipe(openSync(path, 'r'));
  await t.rejects(readOnly.write('x'), { code: 'EBADF', syscall: 'write' });
  await readOnly.close();

  t.throws(() => openPipe(-1), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => openPipe(9999), { code: 'EBADF' });
  t.throws(() => openPipe(0, null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  const [reader, writer] = pipe();
  await t.rejects(reader.readInto(new Float64Array(1) as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(reader.readInto(Buffer.alloc(0)), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(writer.write(5 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(writer.write(['x', 5 as never]), { code: 'ERR_INVALID_ARG_TYPE' });
  await writer.write('');
  const target = new Uint8Array(8);
  const detached = t.rejects(reader.readInto(target), { code: 'ERR_INVALID_STATE' });
  structuredClone(target, { transfer: [target.buffer] });
  await writer.write('kept');
  await detached;
  t.equal(String(await reader.read()), 'kept');
  await reader.close();
  await writer.close();
});

t.test('closing leaves the descriptor open if it is to', async t => {
  const [readFd, writeFd] = fifo();
  const reader = openPipe(readFd, { autoClose: false });
  const before = openFds();
  await reader.close();
  t.equal(openFds(), before);
  const again = openPipe(readFd);
  const writer = openPipe(writeFd);
  await writer.write('still there');
  t.equal(String(await again.read()), 'still there');
  await again.close();
  await writer.close();
});

const PROGRAM = built('test/fixtures/standard-streams.js');

/** Runs a shell command in which $NODE is one of the programs of standard-streams.ts. */
function shell(command: string, kind = 'echo'): Promise<string> {
  const run = command.replaceAll('$NODE', '"$0" "$1" "$2"');
  return output('sh', ['-c', run, process.execPath, PROGRAM, kind]);
}

t.test('standard input from a pipe, a file and /dev/null', async t => {
  t.equal(await shell('(echo one; sleep 0.1; echo two) | $NODE 2>&1'), 'one\ntwo\nread 8\n');
  t.equal(await shell('head -c 3000000 /dev/zero | $NODE 2>/dev/null | wc -c'), '3000000\n');
  const path = join(folder, 'input');
  writeFileSync(path, 'from a file\n');
  t.equal(await shell(`$NODE 2>&1 < '${path}'`), 'from a file\nread 12\n');
  t.equal(await shell('$NODE 2>&1 < /dev/null'), 'read 0\n');
});

t.test('output that nobody reads any more is an error', async t => {
  t.equal(await shell('($NODE | head -c 5 > /dev/null) 2>&1', 'writes on'), 'EPIPE\n');
});

t.test('what was written leaves before process.exit(), as far as the pipe has room', async t => {
  for (const kind of ['writes and exits', 'writes at the exit']) {
    t.equal(await shell('$NODE | cat', kind), `${'x'.repeat(10_000)}${'y'.repeat(10_000)}z\n`);
  }
});

t.test('a process with a read that waits ends when it wants to', async t => {
  // A sleeping writer keeps the pipe open: the read is in flight to the last.
  const silence = '(sleep 150 & echo $! > PID) | $NODE; kill $(cat PID)'.replaceAll(
    'PID',
    `'${join(folder, 'pid')}'`,
  );
  t.equal(await shell(silence, 'exits while it reads'), 'end\n');
  t.equal(await shell(silence, 'ends while it reads'), 'end\n');
});

const noScript = existsSync('/usr/bin/script') ? false : 'this machine has no script(1)';

t.test('a terminal: lines, its end, and an exit while it waits', { skip: noScript }, async t => {
  const terminal = async (kind: string, ...input: string[]): Promise<string> => {
    // script(1) hands its command to a shell.
    const child = spawn('script', ['-qec', '"$NODE" "$PROGRAM" "$KIND"', '/dev/null'], {
      env: { ...process.env, SHELL: '/bin/sh', NODE: process.execPath, PROGRAM, KIND: kind },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      printed += text;
      // A line for each prompt.
      if (text.includes('> ')) child.stdin.write(input.shift() ?? '\x04');
    });
    await once(child, 'close');
    return printed;
  };
  const lines = await terminal('prompts', 'first\n', 'second\n');
  t.match(lines, /got first\r\n.*got second\r\n.*end of input/s);
  const exits = await terminal('exits at a terminal');
  t.match(exits, /waiting\r\nticked/);
});

t.test('in a worker: EPIPE, and an end while a read waits', async t => {
  const [readFd, writeFd] = fifo();
  const [keptFd, otherFd] = fifo();
  const worker = new Worker(built('test/fixtures/pipe-worker.js'), { workerData: [readFd, writeFd, keptFd] });
  const [code] = await once(worker, 'message');
  t.equal(code, 'EPIPE');
  await worker.terminate();
  closeSync(writeFd);
  // Its descriptor went with it: nobody reads any more.
  for (;;) {
    try {
      writeSync(otherFd, 'x');
    } catch (error) {
      t.match(error, { code: 'EPIPE' });
      break;
    }
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  closeSync(otherFd);
});

t.test('what a worker has closed is not closed again when it ends', async t => {
  const path = makeFifo(folder, 'reused');
  const worker = new Worker(built('test/fixtures/closes-pipes-worker.js'), { workerData: path });
  const [{ fds, warnings }] = await once(worker, 'message');
  t.strictSame(warnings, [], 'Node knows of the closes');
  // The lowest number that is free is the next one's.
  const opened: number[] = [];
  while (!fds.every((fd: number) => opened.includes(fd)) && opened.length < 100) {
    opened.push(openSync(path, constants.O_RDWR));
  }
  const reused = fds.filter((fd: number) => opened.includes(fd));
  t.not(reused.length, 0, `${fds} are this thread's by now`);
  const exit = once(worker, 'exit');
  worker.postMessage('end');
  await exit;
  for (const fd of opened) t.doesNotThrow(() => closeSync(fd));
});
