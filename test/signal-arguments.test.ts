/** What is given as `signal` is looked at before anything is started, by every call that takes one. */
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Channel, channelPair, loop, signals, sleep } from 'uasync';
import * as fs from 'uasync/fs';
import { bind, connect, listen, openPipe, serveOnThreads } from 'uasync/net';
import { checkLeaks, scratchFolder } from './harness.js';
import { HOST, pair } from './net/sockets.js';
import { MODULE, start } from './thread-server.js';

checkLeaks();

const file = join(scratchFolder(), 'file');
writeFileSync(file, 'content');

const real = new AbortController().signal;
/** None of them can be listened to. */
const WRONG: [name: string, signal: unknown][] = [
  ['a fake', { aborted: false }],
  ['a fake that is aborted', { aborted: true }],
  ['one that takes no listener away', { aborted: false, addEventListener() {} }],
  ['an event target', new EventTarget()],
  ['an object', {}],
  ['null', null],
  ['a text', 'signal'],
  ['a number', 5],
  ['a function', () => real],
  ['a controller', new AbortController()],
];

type Options = { signal: AbortSignal };

/** Each call with each of them; Node's own calls on files ask for no more than `aborted`. */
async function refused(
  t: Test,
  calls: Record<string, (options: Options) => unknown>,
  asNode = false,
): Promise<void> {
  const { submitted } = loop().stats();
  for (const [name, call] of Object.entries(calls)) {
    for (const [what, signal] of WRONG) {
      if (asNode && typeof signal === 'object' && signal !== null && 'aborted' in signal) continue;
      const result = async (): Promise<unknown> => call({ signal: signal as AbortSignal });
      await t.rejects(result(), { code: 'ERR_INVALID_ARG_TYPE' }, `${name} with ${what}`);
    }
  }
  t.equal(loop().stats().submitted, submitted, 'nothing was started');
}

t.test('the loop', async t => {
  const listeners = process.listenerCount('SIGHUP');
  const [here, there] = channelPair().map(end => new Channel(end)) as [Channel, Channel];
  await refused(t, {
    sleep: options => sleep(1, options),
    submit: options => loop().submit(sqe => sqe.nop(), options),
    signals: options => signals('SIGHUP', options),
    'channel.send': options => here.send(1, options),
    'channel.recv': options => here.recv(options),
  });
  t.equal(process.listenerCount('SIGHUP'), listeners);
  await Promise.all([here.close(), there.close()]);
});

t.test('connections', async t => {
  const [client, server] = await pair(t);
  const handle = await fs.open(file);
  await refused(t, {
    connect: options => connect({ port: 1, host: HOST, ...options }),
    listen: options => listen({ port: 0, host: HOST, ...options }),
    read: options => client.read(options),
    readInto: options => client.readInto(Buffer.alloc(1), options),
    readExactly: options => client.readExactly(1, options),
    readUntil: options => client.readUntil('\n', options),
    peek: options => client.peek(1, options),
    write: options => client.write('x', options),
    writev: options => client.writev(['x'], options),
    drained: options => client.drained(options),
    shutdown: options => client.shutdown(options),
    sendFile: options => client.sendFile(handle, options),
    pipeTo: options => client.pipeTo(server, options),
    close: options => client.close(options),
  });
  t.equal(client.bytesWritten, 0);
  t.notOk(client.closed);
  await handle.close();
  const listener = await listen({ port: 0, host: HOST });
  await refused(t, { accept: options => listener.accept(options) });
  await listener.close();
});

t.test('datagrams and pipes', async t => {
  const socket = await bind({ host: HOST });
  const { port } = socket.address;
  const pipe = openPipe(openSync(file, 'r+'));
  await refused(t, {
    bind: options => bind({ host: HOST, ...options }),
    recv: options => socket.recv(options),
    recvMany: options => socket.recvMany(options),
    send: options => socket.send('x', port, HOST, options),
    sendMany: options => socket.sendMany([{ data: 'x', port, address: HOST }], options),
    connect: options => socket.connect(port, HOST, options),
    'pipe.read': options => pipe.read(options),
    'pipe.readInto': options => pipe.readInto(Buffer.alloc(1), options),
    'pipe.write': options => pipe.write('x', options),
  });
  await Promise.all([socket.close(), pipe.close()]);
});

t.test('threads', async t => {
  await refused(t, { serveOnThreads: options => serveOnThreads(1, MODULE, options) });
  const server = await start(1, {});
  for (const [what, signal] of WRONG) {
    const options = { signal: signal as AbortSignal };
    const wrong = { code: 'ERR_INVALID_ARG_TYPE' };
    await t.rejects(server.broadcast('x', options), wrong, `broadcast with ${what}`);
    await t.rejects(server.stats(options), wrong, `stats with ${what}`);
    await t.rejects(server.stop(options), wrong, `stop with ${what}`);
  }
  t.equal((await server.stats())[0]?.restarts, 0, 'it still runs');
  await server.stop();
});

t.test('files', async t => {
  const handle = await fs.open(file, 'r+');
  const other = await fs.open(`${file}-2`, 'w');
  await refused(t, {
    copyTo: options => handle.copyTo(other, options),
    'handle.chunks': options => handle.chunks(options).next(),
    statMany: options => fs.statMany([file], options),
    readMany: options => fs.readMany([file], options),
  });
  const asNode = {
    readFile: (options: Options) => fs.readFile(file, options),
    writeFile: (options: Options) => fs.writeFile(file, 'x', options),
    appendFile: (options: Options) => fs.appendFile(file, 'x', options),
    'handle.readFile': (options: Options) => handle.readFile(options),
    'handle.writeFile': (options: Options) => handle.writeFile('x', options),
  };
  await refused(t, asNode, true);
  const fake = { signal: { aborted: false } as AbortSignal };
  t.equal(await fs.readFile(file, { ...fake, encoding: 'utf8' }), 'content', 'a fake does for those of Node');
  await t.rejects(fs.readFile(file, { signal: { aborted: true } as AbortSignal }), { code: 'ABORT_ERR' });
  await Promise.all([handle.close(), other.close()]);
});

/** Each call with a signal that is aborted already. */
async function startsNothing(
  t: Test,
  calls: Record<string, (options: Options) => Promise<unknown>>,
): Promise<void> {
  const signal = AbortSignal.abort('the reason');
  const { submitted } = loop().stats();
  for (const [name, call] of Object.entries(calls)) {
    const aborted = { name: 'AbortError', code: 'ABORT_ERR', cause: 'the reason' };
    await t.rejects(call({ signal }), aborted, name);
  }
  t.equal(loop().stats().submitted, submitted, 'nothing was started');
}

t.test('a call whose signal is aborted already starts nothing', async t => {
  const [client, server] = await pair(t);
  const [here, there] = channelPair().map(end => new Channel(end)) as [Channel, Channel];
  const socket = await bind({ host: HOST });
  const { port } = socket.address;
  const pipe = openPipe(openSync(file, 'r+'));
  const handle = await fs.open(file, 'r+');
  const missing = `${file}-missing`;
  await startsNothing(t, {
    sleep: options => sleep(1, options),
    submit: options => loop().submit(sqe => sqe.nop(), options),
    'channel.send': options => here.send('x', options),
    'channel.recv': options => here.recv(options),
    connect: options => connect({ port: 1, host: HOST, ...options }),
    listen: options => listen({ path: missing, ...options }),
    bind: options => bind({ path: missing, ...options }),
    read: options => client.read(options),
    readInto: options => client.readInto(Buffer.alloc(1), options),
    write: options => client.write('x', options),
    'write of an array': options => client.write(['x', 'y'], options),
    writev: options => client.writev(['x'], options),
    drained: options => client.drained(options),
    sendFile: options => client.sendFile(handle, options),
    pipeTo: options => client.pipeTo(server, options),
    shutdown: options => client.shutdown(options),
    recv: options => socket.recv(options),
    send: options => socket.send('x', port, HOST, options),
    sendMany: options => socket.sendMany([{ data: 'x', port, address: HOST }], options),
    'socket.connect': options => socket.connect(port, HOST, options),
    'pipe.read': options => pipe.read(options),
    'pipe.write': options => pipe.write('x', options),
    serveOnThreads: options => serveOnThreads(1, MODULE, options),
    readFile: options => fs.readFile(file, options),
    writeFile: options => fs.writeFile(missing, 'x', options),
    appendFile: options => fs.appendFile(missing, 'x', options),
    'handle.readFile': options => handle.readFile(options),
    'handle.writeFile': options => handle.writeFile('x', options),
    'handle.chunks': options => handle.chunks(options).next(),
    copyTo: options => handle.copyTo(handle, options),
    readMany: options => fs.readMany([file], options),
  });
  t.equal(client.bytesWritten + client.bufferedAmount, 0, 'nothing was written');
  t.equal(socket.remoteAddress, undefined);
  await t.rejects(fs.stat(missing), { code: 'ENOENT' });
  await client.write('first');
  t.equal(String(await server.read()), 'first', 'its side has not ended');
  await t.rejects(client.close({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  t.ok(client.closed, 'but it closes');
  t.equal(await server.read(), null);
  await Promise.all([here.close(), there.close(), socket.close(), pipe.close(), handle.close()]);
});
