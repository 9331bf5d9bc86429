/** An error says in its stack who waited for it, not only that the loop made it. */
import { constants, openSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Channel, channelPair, loop, sleep, type UasyncError } from 'uasync';
import * as fs from 'uasync/fs';
import { bind, type Connection, connect, listen, openPipe } from 'uasync/net';
import { checkLeaks, makeFifo, scratchFolder } from '../harness.js';
import { pair } from '../net/sockets.js';

checkLeaks();
const missing = join(scratchFolder(), 'missing', 'file');

/** What fails at once, without waiting, has the caller itself on its stack. */
const WAITS = /at (async )?whoWaits/;

async function stackOf(call: () => Promise<unknown>): Promise<string> {
  async function whoWaits(): Promise<void> {
    await call();
  }
  const error: Error = await whoWaits().then(
    () => t.fail('it succeeded'),
    error => error,
  );
  return error.stack!;
}

for (const [name, call] of Object.entries({
  open: () => fs.open(missing),
  readFile: () => fs.readFile(missing),
  writeFile: () => fs.writeFile(missing, 'x'),
  mkdir: () => fs.mkdir(missing),
  rename: () => fs.rename(missing, `${missing}2`),
  connect: () => connect({ port: 1, host: '127.0.0.1' }),
})) {
  t.test(`of ${name}`, async t => t.match(await stackOf(call), WAITS));
}

t.test('of calls on sockets', async t => {
  await using server = await listen({ port: 0, host: '127.0.0.1' });
  await using conn = await connect({ port: server.address.port });
  await using served = await server.accept();
  t.ok(served);
  const late = { timeout: 1 };
  for (const call of [
    () => conn.read(late),
    () => conn.readInto(Buffer.alloc(1), late),
    () => conn.readExactly(1, late),
    () => conn.readUntil('\n', late),
    () => conn.peek(1, late),
    () => server.accept(late),
  ]) {
    t.match(await stackOf(call), WAITS);
  }
});

/** More than the kernel's buffers hold. */
const MUCH = Buffer.alloc(1 << 25);

t.test('of for await, write, drained, pipeTo and shutdown when the peer resets', async t => {
  for (const call of [
    async (conn: Connection) => {
      for await (const _ of conn);
    },
    (conn: Connection) => conn.write(MUCH),
    (conn: Connection) => conn.writev([MUCH, MUCH]),
    (conn: Connection) => {
      conn.send(MUCH);
      return conn.drained();
    },
    (conn: Connection) => {
      conn.send(MUCH);
      return conn.shutdown();
    },
    async (conn: Connection) => {
      const [to] = await pair(t);
      await conn.pipeTo(to);
    },
  ]) {
    const [conn, peer] = await pair(t);
    const stack = stackOf(() => call(conn));
    // The write has begun, and a read tells of the reset.
    conn.read().catch(() => {});
    await sleep(1);
    await peer.reset();
    t.match(await stack, WAITS, String(call));
  }
});

t.test('where Error.prepareStackTrace of the program throws, calls fail as usual', async t => {
  const [conn, peer] = await pair(t);
  const calls = Promise.allSettled([conn.read(), conn.write(MUCH)]);
  await sleep(1);
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = () => {
    throw new Error('of the program');
  };
  try {
    await peer.reset();
    await calls;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
  for (const call of await calls) t.match(call, { reason: { code: /^(?:ECONNRESET|EPIPE)$/ } });
});

t.test('no stack is made of the error of a reset that no one gets', async t => {
  const [conn, peer] = await pair(t);
  const reading = conn.read();
  await sleep(1);
  const made = new Set<unknown>();
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = error => {
    if ((error as UasyncError).code === 'ECONNRESET') made.add(error);
    return String(error);
  };
  try {
    await peer.reset();
    await reading.catch(error => made.delete(error));
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
  t.equal(made.size, 0);
});

t.test('of calls on datagram sockets', async t => {
  await using socket = await bind({ host: '127.0.0.1' });
  await using gone = await bind({ host: '127.0.0.1' });
  await socket.connect(gone.address.port, '127.0.0.1');
  await gone.close();
  const late = { timeout: 1 };
  t.match(await stackOf(() => socket.recv(late)), WAITS);
  t.match(await stackOf(() => socket.recvMany(late)), WAITS);
  // The refusal of the first is told to the call after it.
  await socket.send('x');
  t.match(await stackOf(() => socket.recv()), WAITS, 'refused');
  await using other = await bind({ host: '127.0.0.1' });
  t.match(await stackOf(() => other.send(Buffer.alloc(65535), 9, '127.0.0.1')), WAITS, 'too long');
  t.match(
    await stackOf(() => other.sendMany([{ data: Buffer.alloc(65535), port: 9, address: '127.0.0.1' }])),
    WAITS,
  );
  const waiting = stackOf(() => other.recv());
  await other.close();
  t.match(await waiting, WAITS, 'closed');
});

t.test('of calls on pipes', async t => {
  const path = makeFifo(scratchFolder(), 'fifo');
  await using both = openPipe(openSync(path, constants.O_RDWR));
  await using from = openPipe(openSync(path, constants.O_RDONLY));
  await using to = openPipe(openSync(path, constants.O_WRONLY));
  const late = { timeout: 1 };
  for (const call of [
    () => from.read(late),
    () => from.readInto(Buffer.alloc(1), late),
    () => from.readExactly(1, late),
    () => from.readUntil('\n', late),
  ]) {
    t.match(await stackOf(call), WAITS, String(call));
  }
  await both.close();
  const writing = stackOf(() => to.write(MUCH));
  t.equal((await from.read())!.length > 0, true);
  await from.close();
  t.match(await writing, WAITS, 'write');
  await t.rejects(to.write('x'), { code: 'EPIPE', cause: { code: 'EPIPE' } });
  const iterating = stackOf(async () => {
    for await (const _ of openPipe(openSync(scratchFolder(), constants.O_RDONLY)));
  });
  t.match(await iterating, WAITS, 'for await');
});

t.test('of timers, raw operations, channels and open files', async t => {
  const controller = new AbortController();
  const slept = stackOf(() => sleep(60_000, { signal: controller.signal }));
  controller.abort();
  t.match(await slept, WAITS, 'sleep');
  t.match(await stackOf(() => loop().submit(sqe => sqe.fsync(1 << 30))), WAITS, 'submit');
  const [end, other] = channelPair();
  const channel = new Channel(end);
  t.match(await stackOf(() => channel.recv({ timeout: 1 })), WAITS, 'recv');
  await Promise.all([channel.close(), new Channel(other).close()]);
  await using folder = await fs.open(scratchFolder());
  t.match(await stackOf(() => folder.read(Buffer.alloc(1), 0, 1, 0)), WAITS, 'read of a directory');
});

t.test('each caller has an error of its own, whose cause is what failed', async t => {
  const [conn, peer] = await pair(t);
  const reads = [conn.read(), conn.read()];
  await peer.reset();
  const errors = (await Promise.allSettled(reads)).map(
    result => (result as PromiseRejectedResult).reason as UasyncError,
  );
  t.not(errors[0], errors[1]);
  for (const error of errors) t.match(error, { code: 'ECONNRESET', cause: { code: 'ECONNRESET' } });
  t.equal(errors[0]!.cause, errors[1]!.cause, 'the cause is one');
});

t.test('where no one awaits the promise the stack is that of who made the error', async t => {
  const [conn] = await pair(t);
  const error = await new Promise<Error>(resolve => void conn.read({ timeout: 1 }).catch(resolve));
  t.match(error.stack, /at .*\/(?:src|dist)\/loop\//);
});
