/** Options that a call does not know are an error, and change nothing. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { Channel, channelPair, loop, signals, sleep } from 'uasync';
import * as fs from 'uasync/fs';
import { bind, connect, listen, openConnection, openPipe, serveOnThreads } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { built } from '../programs.js';
import { HOST, pair, unixPair } from './sockets.js';

checkLeaks();

/** Any options at all. */
type Any = never;
const x = { surprise: 1 } as Any;
const unknown = {
  name: 'TypeError',
  code: 'ERR_INVALID_ARG_VALUE',
  message: /'options\.surprise' is unknown/,
};

t.test('every call of uasync/net', async t => {
  const [conn, peer] = await pair(t);
  const [unix] = await unixPair(t);
  const server = await listen({ port: 0, host: HOST });
  const socket = await bind({ port: 0, host: HOST });
  const fd = openSync('/dev/null', 'r+');
  const pipe = openPipe(fd, { autoClose: false });
  const { submitted } = loop().stats();
  const calls: [string, () => unknown][] = [
    ['listen', () => listen({ port: 0, surprise: 1 } as Any)],
    ['connect', () => connect({ port: 1, surprise: 1 } as Any)],
    ['bind', () => bind({ port: 0, surprise: 1 } as Any)],
    ['openPipe', async () => openPipe(fd, x)],
    ['openConnection', async () => openConnection(fd, x)],
    ['accept', () => server.accept(x)],
    ['read', () => conn.read(x)],
    ['readInto', () => conn.readInto(Buffer.alloc(1), x)],
    ['readExactly', () => conn.readExactly(1, x)],
    ['readUntil', () => conn.readUntil('x', x)],
    ['peek', () => conn.peek(1, x)],
    ['write', () => conn.write('x', x)],
    ['writev', () => conn.writev(['x'], x)],
    ['drained', () => conn.drained(x)],
    ['sendFile', () => conn.sendFile(fd, x)],
    ['sendFds', () => unix.sendFds([fd], 'x', x)],
    ['recvFds', () => unix.recvFds(x)],
    ['pipeTo', () => conn.pipeTo(peer, x)],
    ['shutdown', () => conn.shutdown(x)],
    ['close', () => conn.close(x)],
    ['whenEnded', () => conn.whenEnded(x)],
    ['whenClosed', () => conn.whenClosed(x)],
    ['toDuplex', async () => conn.toDuplex(x)],
    ['setKeepAlive', async () => conn.setKeepAlive(true, x)],
    ['recv', () => socket.recv(x)],
    ['recvMany', () => socket.recvMany(x)],
    ['send', () => socket.send('x', 1, HOST, x)],
    ['sendMany', () => socket.sendMany([], x)],
    ['connect of a datagram socket', () => socket.connect(1, HOST, x)],
    ['pipe.read', () => pipe.read(x)],
    ['pipe.readInto', () => pipe.readInto(Buffer.alloc(1), x)],
    ['pipe.write', () => pipe.write('x', x)],
    ['serveOnThreads', () => serveOnThreads(1, new URL('file:///nowhere.js'), x)],
  ];
  for (const [name, call] of calls) await t.rejects(async () => call(), unknown, name);
  t.equal(loop().stats().submitted, submitted, 'nothing was begun');
  t.notOk(conn.closed);
  await conn.write('still');
  t.equal(String(await peer.read()), 'still');
  await Promise.all([server.close(), socket.close(), pipe.close()]);
  closeSync(fd);
});

t.test('every call of uasync/fs that Node does not have', async t => {
  const file = await fs.open('/dev/null', 'r+');
  const calls: [string, () => unknown][] = [
    ['statMany', () => fs.statMany(['/'], x)],
    ['readMany', () => fs.readMany(['/dev/null'], x)],
    ['setxattr', () => fs.setxattr('/dev/null', 'user.x', 'x', x)],
    ['chunks', () => file.chunks(x).next()],
    ['copyTo', () => file.copyTo(file, x)],
    ['file.setxattr', () => file.setxattr('user.x', 'x', x)],
  ];
  for (const [name, call] of calls) await t.rejects(async () => call(), unknown, name);
  await file.close();
});

t.test('options that mean nothing beside a path', async t => {
  const path = '/nowhere/at/all';
  for (const [name, call] of Object.entries({ listen, connect, bind } as Record<
    string,
    (options: object) => Promise<unknown>
  >)) {
    for (const other of [{ port: 0 }, { host: HOST }, { address: HOST }]) {
      await t.rejects(
        call({ path, ...other }),
        {
          code: 'ERR_INVALID_ARG_VALUE',
          message: `'options.${Object.keys(other)}' cannot be given with 'path'`,
        },
        name,
      );
    }
  }
});

t.test('every call of uasync', async t => {
  const channel = new Channel(channelPair()[0]);
  const calls: [string, () => unknown][] = [
    ['sleep', () => sleep(1, x)],
    ['submit', () => loop().submit(sqe => sqe.nop(), x)],
    ['signals', async () => signals('SIGUSR2', x)],
    ['channelPair', async () => channelPair(x)],
    ['channel.send', () => channel.send(1, x)],
    ['channel.recv', () => channel.recv(x)],
  ];
  for (const [name, call] of calls) await t.rejects(async () => call(), unknown, name);
  channel.close();
  // A loop is made once.
  const { stderr } = spawnSync(process.execPath, [built('test/fixtures/wrong-loop.js')]);
  t.match(String(stderr), unknown.message);
});

t.test('the one that was meant is named', async t => {
  const cases: [object, RegExp][] = [
    [{ prot: 80 }, /The property 'options.prot' is unknown \(did you mean 'port'\?\)\. Received 80$/],
    [{ port: 0, reuseport: true }, /did you mean 'reusePort'\?/],
    [{ port: 0, noDealy: true }, /did you mean 'noDelay'\?/],
    [{ port: 0, backlogs: 5 }, /did you mean 'backlog'\?/],
    [{ port: 0, hostname: HOST }, /did you mean 'host'\?/],
    [{ unix: '/nowhere' }, /did you mean 'path'\?/],
    [{ port: 0, exclusive: true }, /The property 'options.exclusive' is unknown\. Received true$/],
    [{ port: 0, toString: 1 }, /The property 'options.toString' is unknown\. /],
  ];
  for (const [options, message] of cases) {
    await t.rejects(listen(options as Any), { code: 'ERR_INVALID_ARG_VALUE', message });
  }
});

t.test('a signal instead of options says what to pass', async t => {
  const { signal } = new AbortController();
  const expected = {
    name: 'TypeError',
    code: 'ERR_INVALID_ARG_TYPE',
    message:
      'The "options" argument must be an object such as { signal }. Received an instance of AbortSignal',
  };
  await t.rejects(sleep(1, signal as Any), expected);
  const server = await listen({ port: 0, host: HOST });
  await t.rejects(server.accept(signal as Any), expected);
  await server.close();
});

t.test('one that is undefined is not given', async t => {
  const server = await listen({ port: 0, host: HOST, surprise: undefined } as Any);
  t.pass('it listens');
  await server.close();
});
