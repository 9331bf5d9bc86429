/**
 * Objects of another realm, as a vm context makes them and jest runs tests in: every call that takes bytes
 * takes them, and none of the rules of memory is weaker for them.
 */
import { closeSync, openSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import vm from 'node:vm';
import t from 'tap';
import { allocPinned, Channel, channelPair, loop } from 'uasync';
import * as fs from 'uasync/fs';
import { bind, openPipe, serveOnThreads, type WriteData } from 'uasync/net';
import { AT_FDCWD } from 'uasync/ring';
import * as abi from '../src/ring/abi/io-uring.js';
import { checkLeaks, scratchFolder } from './harness.js';
import { HOST, pair } from './net/sockets.js';
import { one, ring } from './ring/driver.js';
import { MODULE } from './thread-server.js';

checkLeaks();

const folder = scratchFolder();
const context = vm.createContext({});

/** What `code` is in the other realm. */
function foreign<T>(code: string): T {
  return vm.runInContext(`(${code})`, context) as T;
}

/** The text as a Uint8Array of the other realm. */
function bytes(text: string): Uint8Array {
  return foreign(`Uint8Array.from(${JSON.stringify([...Buffer.from(text)])})`);
}

/** Eight bytes, 'realms!!', in all that holds bytes. */
const CODES = [...Buffer.from('realms!!')];
const HOLDERS: Record<string, string> = {
  Uint8Array: `Uint8Array.from([${CODES}])`,
  'part of a Uint8Array': `Uint8Array.from([0, ${CODES}, 0]).subarray(1, 9)`,
  Uint8ClampedArray: `Uint8ClampedArray.from([${CODES}])`,
  Int16Array: `new Int16Array(Uint8Array.from([${CODES}]).buffer)`,
  Float64Array: `new Float64Array(Uint8Array.from([${CODES}]).buffer)`,
  BigInt64Array: `new BigInt64Array(Uint8Array.from([${CODES}]).buffer)`,
  DataView: `new DataView(Uint8Array.from([0, ${CODES}, 0]).buffer, 1, 8)`,
  ArrayBuffer: `Uint8Array.from([${CODES}]).buffer`,
  SharedArrayBuffer: `(b => (new Uint8Array(b).set([${CODES}]), b))(new SharedArrayBuffer(8))`,
  'a view of shared memory': `(u => (u.set([${CODES}]), u))(new Uint8Array(new SharedArrayBuffer(8)))`,
  'a resizable ArrayBuffer': `(b => (new Uint8Array(b).set([${CODES}]), b))(new ArrayBuffer(8, { maxByteLength: 64 }))`,
};
const TEXT = 'realms!!';

/** The same objects in both realms. */
function* holders(): Generator<[name: string, data: WriteData]> {
  for (const [name, code] of Object.entries(HOLDERS)) {
    yield [`${name} of this realm`, vm.runInThisContext(code) as WriteData];
    yield [`${name} of another realm`, foreign<WriteData>(code)];
  }
}

t.test('they are of another realm', async t => {
  const data = bytes(TEXT);
  t.notOk(data instanceof Uint8Array);
  t.notOk(data.buffer instanceof ArrayBuffer);
});

t.test('connections send every view and buffer', async t => {
  const [client, server] = await pair(t);
  const received = async (): Promise<string> => String(await server.readExactly(TEXT.length));
  for (const [name, data] of holders()) {
    await client.write(data);
    t.equal(await received(), TEXT, `write, ${name}`);
    await client.write([data as never, 'and text']);
    t.equal(String(await server.readExactly(16)), `${TEXT}and text`, `write of an array, ${name}`);
    await client.writev([data as never]);
    t.equal(await received(), TEXT, `writev, ${name}`);
    await client.write(data, { timeout: 1e6 });
    t.equal(await received(), TEXT, `write with options, ${name}`);
    client.send(data);
    t.equal(await received(), TEXT, `send, ${name}`);
    client.send([data as never]);
    t.equal(await received(), TEXT, `send of an array, ${name}`);
  }
  await client.write(foreign<string[]>(`['an array of ', 'another realm']`));
  t.equal(String(await server.readExactly(25)), 'an array of another realm');
});

t.test('connections read into and search with Uint8Arrays', async t => {
  const [client, server] = await pair(t);
  const into = foreign<Uint8Array>('new Uint8Array(5)');
  await client.write('hello');
  t.equal(await server.readInto(into), 5);
  t.equal(String(Buffer.from(into)), 'hello');
  await client.write('one\r\ntwo');
  t.equal(String(await server.readUntil(bytes('\r\n'))), 'one\r\n');
  server.unread(bytes('unread '));
  t.equal(String(await server.readExactly(10)), 'unread two');
  // SO_LINGER: off
  server.setOption(1, 13, foreign('new Uint8Array(8)'));
});

t.test('pipes', async t => {
  const path = join(folder, 'pipe');
  writeFileSync(path, '');
  const pipe = openPipe(openSync(path, 'r+'));
  let expected = '';
  for (const [, data] of holders()) {
    await pipe.write(data);
    await pipe.write([data as never]);
    expected += TEXT + TEXT;
  }
  await pipe.close();
  t.equal(readFileSync(path, 'utf8'), expected);
  const reading = openPipe(openSync(path, 'r'));
  const into = foreign<Uint8Array>('new Uint8Array(8)');
  t.equal(await reading.readInto(into), 8);
  t.equal(String(Buffer.from(into)), TEXT);
  await reading.close();
});

t.test('datagrams', async t => {
  const receiver = await bind({ host: HOST });
  const sender = await bind({ host: HOST });
  const { port } = receiver.address;
  for (const [name, data] of holders()) {
    // The second takes the short way.
    for (let i = 0; i < 2; i++) {
      t.equal(await sender.send(data, port, HOST), 8, `send, ${name}`);
      t.equal(String((await receiver.recv()).data), TEXT);
    }
    t.equal(
      await sender.sendMany([
        { data, port, address: HOST },
        { data: [data as never], port, address: HOST },
      ]),
      2,
    );
    t.equal(String((await receiver.recv()).data), TEXT, `sendMany, ${name}`);
    t.equal(String((await receiver.recv()).data), TEXT);
  }
  await sender.connect(port, HOST);
  t.equal(await sender.send(bytes(TEXT)), 8);
  await Promise.all([receiver.close(), sender.close()]);
});

t.test('what is detached or no bytes is an error, of either realm', async t => {
  const [client] = await pair(t);
  const socket = await bind({ host: HOST });
  const { port } = socket.address;
  const path = join(folder, 'detached');
  writeFileSync(path, '');
  const pipe = openPipe(openSync(path, 'r+'));
  for (const code of [
    'new Uint8Array(8)',
    'new DataView(new ArrayBuffer(8))',
    'new Int32Array(2)',
    'new ArrayBuffer(8)',
  ]) {
    for (const data of [vm.runInThisContext(code), foreign(code)] as WriteData[]) {
      const buffer = (ArrayBuffer.isView(data) ? data.buffer : data) as ArrayBuffer;
      structuredClone(buffer, { transfer: [buffer] });
      const detached = { code: 'ERR_INVALID_STATE' };
      await t.rejects(client.write(data), detached, code);
      await t.rejects(client.write(['text', data as never]), detached);
      await t.rejects(client.writev([data as never]), detached);
      t.throws(() => client.send(data), detached);
      t.throws(() => client.send(['text', data as never]), detached);
      await t.rejects(pipe.write(data), detached);
      await t.rejects(socket.send(data, port, HOST), detached);
      await t.rejects(socket.sendMany([{ data, port, address: HOST }]), detached);
    }
  }
  // Below the view.
  const shrunk = `(b => { const v = new Kind(b, 8); b.resize(4); return v; })(new ArrayBuffer(16, { maxByteLength: 16 }))`;
  for (const kind of ['Uint8Array', 'BigInt64Array', 'DataView', 'Float32Array']) {
    await t.rejects(client.write(foreign(shrunk.replace('Kind', kind))), { code: 'ERR_INVALID_STATE' }, kind);
  }
  const wrong = { code: 'ERR_INVALID_ARG_TYPE' };
  for (const data of [
    null,
    undefined,
    5,
    {},
    new Date(),
    Object.create(Uint8Array.prototype),
    foreign('({})'),
  ]) {
    await t.rejects(client.write(data as never), wrong);
    await t.rejects(client.write([data as never]), wrong);
    t.throws(() => client.send(data as never), wrong);
    await t.rejects(pipe.write(data as never), wrong);
    await t.rejects(socket.send(data as never, port, HOST), wrong);
    await t.rejects(client.readInto(data as never), wrong);
    t.throws(() => client.unread(data as never), wrong);
  }
  t.equal(client.bytesWritten, 0, 'nothing of them was sent');
  await Promise.all([socket.close(), pipe.close()]);
});

t.test('one that is detached while it waits is not sent', async t => {
  const [client, server] = await pair(t);
  const filling = client.write(Buffer.alloc(16 << 20));
  const data = bytes('x'.repeat(100_000));
  const late = client.write(data);
  structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
  const refused = t.rejects(late, { code: 'ERR_INVALID_STATE' });
  filling.catch(() => {});
  for (let left = 16 << 20; left > 0; ) left -= (await server.read())!.length;
  await refused;
});

t.test('channels', async t => {
  const [here, there] = channelPair().map(end => new Channel<unknown>(end)) as [Channel, Channel];
  for (const [name, code] of Object.entries(HOLDERS)) {
    await here.send(foreign(code));
    const value = (await there.recv()) as ArrayBuffer | ArrayBufferView;
    const plain = ArrayBuffer.isView(value)
      ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      : Buffer.from(value as ArrayBuffer);
    t.equal(String(plain), TEXT, name);
  }
  // Too large for the shared memory, it comes by the port: still a copy.
  const shared = foreign<Uint8Array>('new Uint8Array(new SharedArrayBuffer(100_000))');
  await here.send(shared);
  shared[0] = 1;
  t.equal(((await there.recv()) as Uint8Array)[0], 0);
  await Promise.all([here.close(), there.close()]);
  const [unused, end] = channelPair();
  unused.port.close();
  t.throws(() => new Channel({ ...end, memory: foreign('{}') }), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('files, by paths and by what is written', async t => {
  const path = (name: string): Buffer => bytes(join(folder, name)) as Buffer;
  await fs.writeFile(path('file'), bytes(TEXT));
  t.equal((await fs.stat(path('file'))).size, 8);
  t.equal((await fs.lstat(path('file'))).size, 8);
  t.equal(await fs.readFile(path('file'), 'utf8'), TEXT);
  await fs.appendFile(path('file'), foreign<Int16Array>(HOLDERS.Int16Array!));
  t.equal(await fs.readFile(path('file'), 'utf8'), TEXT + TEXT);
  await fs.truncate(path('file'), 8);
  await fs.access(path('file'));
  await fs.rename(path('file'), path('renamed'));
  await fs.link(path('renamed'), path('file'));
  await fs.symlink(path('file'), path('symlink'));
  await fs.copyFile(path('file'), path('copy'));
  t.equal(await fs.realpath(path('symlink')), realpathSync(join(folder, 'file')));
  t.equal((await fs.statMany([path('file'), path('copy')]))[1]?.size, 8);
  t.equal(
    String((await fs.readMany(foreign<{ of: Set<Buffer> }>('{ of: new Set() }').of.add(path('copy'))))[0]),
    TEXT,
  );
  await fs.unlink(path('copy'));
  await fs.mkdir(path('folder'));
  await fs.rmdir(path('folder'));
  const url = foreign<URL>(
    `({ href: 'file://${join(folder, 'file')}', protocol: 'file:', hostname: '', host: '', pathname: ${JSON.stringify(join(folder, 'file'))} })`,
  );
  t.equal((await fs.stat(url)).size, 8);

  const handle = await fs.open(path('file'), 'r+');
  const into = foreign<Float64Array>('new Float64Array(1)');
  t.equal((await handle.read(into, 0, 8, 0)).bytesRead, 8);
  t.equal(String(Buffer.from(into.buffer)), TEXT);
  const parts = [
    foreign<DataView>('new DataView(new ArrayBuffer(4))'),
    foreign<Uint8Array>('new Uint8Array(4)'),
  ];
  t.equal((await handle.readv(parts, 0)).bytesRead, 8);
  t.equal(Buffer.concat(parts.map(({ buffer }) => Buffer.from(buffer))).toString(), TEXT);
  t.equal((await handle.write(bytes('other'), 0, 5, 0)).bytesWritten, 5);
  t.equal((await handle.writev([bytes('bytes'), bytes('!!')], 1)).bytesWritten, 7);
  await handle.writeFile(foreign<DataView>(HOLDERS.DataView!));
  await handle.appendFile(foreign<Uint8Array[]>('[]'));
  const pinned = new Uint8Array(allocPinned(8192).buffer, 0, 8);
  await handle.read(pinned, 0, 8, 0);
  t.equal(String(Buffer.from(pinned)), TEXT);
  await handle.close();
  const nul = bytes('a\0b') as Buffer;
  for (const call of [fs.stat, fs.lstat, fs.unlink, fs.readFile, fs.open]) {
    await t.rejects(call(nul) as Promise<never>, { code: 'ERR_INVALID_ARG_VALUE' }, call.name);
  }
});

t.test('the raw ring', async t => {
  const path = join(folder, 'raw');
  const fd = await loop().submit(sqe => sqe.openat(AT_FDCWD, bytes(path), 0o102, 0o600));
  t.equal(await loop().submit(sqe => sqe.write(fd, bytes(TEXT), 0)), 8);
  const into = foreign<Uint8Array>('new Uint8Array(8)');
  t.equal(await loop().submit(sqe => sqe.read(fd, into, 0)), 8);
  t.equal(String(Buffer.from(into)), TEXT);
  const parts = foreign<Uint8Array[]>('[new Uint8Array(4), new Uint8Array(4)]');
  t.equal(await loop().submit(sqe => sqe.readv(fd, parts, 0)), 8);
  t.equal(String(Buffer.concat(parts)), TEXT);
  // What the kernel may write to is not moved to another thread: Node 20 ignores that, others throw.
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(into.buffer, [into.buffer as ArrayBuffer]);
  } catch (error) {
    t.equal((error as Error).name, 'DataCloneError');
  }
  port1.close();
  port2.close();
  t.equal(into.byteLength, 8, 'it stays where it is');
  const detached = foreign<Uint8Array>('new Uint8Array(8)');
  structuredClone(detached.buffer, { transfer: [detached.buffer as ArrayBuffer] });
  await t.rejects(
    loop().submit(sqe => sqe.read(fd, detached, 0)),
    { code: 'ERR_INVALID_STATE' },
  );
  await t.rejects(loop().submit(foreign('async () => {}')), { code: 'ERR_INVALID_ARG_VALUE' });
  closeSync(fd);

  const { ops } = loop();
  ring.registerBuffers([foreign('new Uint8Array(64)')]);
  ring.registerFilesSparse(2);
  t.equal(
    one(sqe => sqe.filesUpdate(foreign('Int32Array.of(-1)'), 0)),
    1,
  );
  const futex = foreign<Int32Array>('new Int32Array(1)');
  if (ops.has(abi.OP_FUTEX_WAKE)) {
    t.equal(
      one(sqe => sqe.futexWake(futex, 1)),
      0,
    );
    t.equal(
      one(sqe => sqe.futexWait(foreign('Uint32Array.of(1)'), 2)),
      -11,
      'EAGAIN',
    );
  }
  if (ops.has(abi.OP_PIPE)) {
    const fds = foreign<Int32Array>('new Int32Array(2)');
    t.equal(
      one(sqe => sqe.pipe(fds)),
      0,
    );
    for (const end of fds) closeSync(end);
  }
  ring.unregisterFiles();
  ring.unregisterBuffers();
});

t.test('URLs of modules', async t => {
  const url = foreign<URL>(`({ href: ${JSON.stringify(`file://${MODULE}`)}, protocol: 'file:' })`);
  const server = await serveOnThreads(1, url, { data: {} });
  await server.stop();
  t.pass('a URL of another realm');
});
