/** uasync/node/net does what node:net does: each scenario runs with both, and says the same. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import http from 'node:http';
import stock from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import onLoop, { onLoop as put } from 'uasync/node/net';
import { checkLeaks, scratchFolder, turns, until } from '../harness.js';

checkLeaks();
const folder = scratchFolder();
let files = 0;

type Net = typeof stock;
type Scenario = (net: Net, note: (...what: unknown[]) => void) => Promise<void>;

/** Runs a scenario with both modules; what it notes must be the same. */
function same(name: string, scenario: Scenario): void {
  t.test(name, async t => {
    const noted = [];
    for (const net of [stock, onLoop as unknown as Net]) {
      const notes: unknown[] = [];
      await scenario(net, (...what) => notes.push(what));
      noted.push(notes);
    }
    t.ok(noted[0]!.length !== 0);
    t.same(noted[1], noted[0]);
  });
}

async function listening(server: stock.Server, ...args: unknown[]): Promise<{ port: number; host: string }> {
  (server.listen as (...args: unknown[]) => unknown)(...(args.length === 0 ? [0, '127.0.0.1'] : args));
  await once(server, 'listening');
  const { port } = server.address() as stock.AddressInfo;
  return { port, host: '127.0.0.1' };
}

/** A connected pair, with the server closed behind it. */
async function pair(net: Net, options: stock.ServerOpts = {}): Promise<[stock.Socket, stock.Socket]> {
  const server = net.createServer(options);
  const client = net.connect({ ...(await listening(server)), allowHalfOpen: options.allowHalfOpen ?? false });
  const [[served]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  server.close();
  return [client, served as stock.Socket];
}

async function text(socket: stock.Socket): Promise<string> {
  let all = '';
  for await (const chunk of socket.setEncoding('latin1')) all += chunk;
  return all;
}

async function end(...sockets: stock.Socket[]): Promise<void> {
  await Promise.all(
    sockets.map(async socket => {
      if (!socket.destroyed) socket.destroy();
      if (!socket.closed) await once(socket, 'close');
    }),
  );
}

t.test('sockets and servers are on the loop', async t => {
  const [client, served] = await pair(onLoop as unknown as Net);
  for (const socket of [client, served]) {
    t.equal((socket as unknown as { _handle: object })._handle.constructor.name, 'TcpHandle');
  }
  t.ok(loop().stats().inFlight >= 2);
  await end(client, served);
});

same('bytes, encodings, cork and counters', async (net, note) => {
  const [client, served] = await pair(net);
  const got = text(served);
  client.write('text ');
  client.write('caf\u00e9 ', 'latin1');
  client.write('caf\u00e9 ', 'utf8');
  client.write('00ff10', 'hex');
  client.write('ucs2', 'utf16le');
  client.cork();
  client.write('corked ');
  client.write(Buffer.from('buffer '));
  client.write(new Uint8Array([65, 66]));
  client.uncork();
  client.write('');
  note(client.bytesWritten, client.writableLength);
  client.end('end');
  note(await got, served.bytesRead, client.bytesWritten);
  await end(client, served);
});

same(
  'writes to several sockets in one burst arrive whole and in order, also where a peer takes nothing',
  async (net, note) => {
    const pairs: [stock.Socket, stock.Socket][] = [];
    for (let i = 0; i < 4; i++) pairs.push(await pair(net));
    const parts = pairs.map(([, served]) => {
      const chunks: Buffer[] = [];
      served.on('data', chunk => chunks.push(chunk));
      return chunks;
    });
    // The last one's peer reads once its socket takes no more: these are kept.
    const [full, slow] = pairs[3]!;
    slow.pause();
    const expected = pairs.map((): Buffer[] => []);
    const put = (i: number, bytes: Buffer | string, encoding: BufferEncoding = 'utf8'): void => {
      expected[i]!.push(Buffer.from(bytes as string, encoding));
      pairs[i]![0].write(bytes as string, encoding);
    };
    while (full.writableLength === 0) {
      put(3, Buffer.alloc(20_000, 3));
      await new Promise(setImmediate);
    }
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 4; i++) {
        put(i, `${round} `);
        put((i + 1) % 4, Buffer.alloc(round * 321, round));
        put(i, `caf\u00e9 ${round} `, 'latin1');
        pairs[i]![0].cork();
        put(i, 'corked ');
        put(i, Buffer.alloc(round, i));
        process.nextTick(() => pairs[i]![0].uncork());
      }
      if (round % 3 === 0) await new Promise(setImmediate);
    }
    slow.resume();
    for (const [client] of pairs) client.end();
    await Promise.all(pairs.map(([, served]) => once(served, 'end')));
    for (const [i, chunks] of parts.entries()) {
      const all = Buffer.concat(expected[i]!);
      note(Buffer.concat(chunks).equals(all), pairs[i]![0].bytesWritten === all.length);
      await end(...pairs[i]!);
    }
  },
);

same('long text is sent at once if the socket takes it', async (net, note) => {
  const [client, served] = await pair(net);
  const received = text(served);
  for (const encoding of ['utf8', 'latin1', 'ucs2', 'hex', 'base64'] as const) {
    note(client.write('abcd'.repeat(18_000), encoding), client.writableLength, client.bytesWritten);
    await turns();
  }
  client.end();
  note((await received).length);
  await end(client, served);
});

same('writes of every size arrive whole and in order', async (net, note) => {
  const [client, served] = await pair(net);
  const sizes = [1, 511, 512, 513, 4096, 65535, 65536, 65537, 262144, 1_000_003];
  let sent = 0;
  for (const [i, size] of sizes.entries()) {
    client.write(Buffer.alloc(size, i + 1));
    sent += size;
  }
  client.end();
  let total = 0;
  let wrong = 0;
  let at = 0;
  let left = sizes[0]!;
  for await (const chunk of served as AsyncIterable<Buffer>) {
    for (const byte of chunk) {
      while (left === 0) left = sizes[++at]!;
      if (byte !== at + 1) wrong++;
      left--;
    }
    total += chunk.length;
  }
  note(total === sent, wrong);
  await end(client, served);
});

same('callbacks of writes, and backpressure to a peer that does not read', async (net, note) => {
  const [client, served] = await pair(net);
  served.pause();
  let called = 0;
  const chunk = Buffer.alloc(1 << 20, 7);
  let full = false;
  // More than the kernel's buffers on both sides ever hold.
  for (let i = 0; i < 64 && !full; i++) {
    client.write(chunk, () => called++);
    full = called === 0 && client.writableLength > 40 << 20;
  }
  await turns(20);
  note(full, called < 60, client.writableLength > 0);
  const written = client.bytesWritten;
  client.end();
  let got = 0;
  served.on('data', data => {
    got += data.length;
  });
  served.resume();
  await once(served, 'end');
  note(got === written, called > 0);
  await end(client, served);
});

same('half open sockets', async (net, note) => {
  const [client, served] = await pair(net, { allowHalfOpen: true });
  client.end('question');
  note(await text(served), served.readyState);
  served.end('answer');
  note(await text(client), client.readyState);
  await end(client, served);
});

same('what was written leaves before destroy()', async (net, note) => {
  const [client, served] = await pair(net);
  const got = text(served);
  client.write('last words');
  client.destroy();
  note(await got);
  await end(client, served);
});

same('resetAndDestroy', async (net, note) => {
  const [client, served] = await pair(net);
  const failed = once(served, 'error');
  client.resetAndDestroy();
  const [error] = (await failed) as [NodeJS.ErrnoException];
  note(error.code, error.syscall, error.errno, error.message);
  await end(client, served);
});

same('the error of a write to a peer that has gone', async (net, note) => {
  const server = net.createServer();
  const client = net.connect(await listening(server));
  // It never reads: that would meet the error first.
  client.once('connect', () => client.pause());
  const [[served]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  server.close();
  served.resetAndDestroy();
  await once(served, 'close');
  const failed = once(client, 'error');
  client.write('bytes');
  const [error] = (await failed) as [NodeJS.ErrnoException];
  note(error.name, error.message, error.code, error.errno, error.syscall, error instanceof Error);
});

same('order of events of each socket at its end', async (net, note) => {
  const order: unknown[][] = [];
  const [client, served] = await pair(net);
  for (const [name, socket] of [
    ['client', client],
    ['served', served],
  ] as const) {
    for (const event of ['end', 'finish', 'close'])
      socket.on(event, (...args) => order.push([name, event, ...args]));
    socket.resume();
  }
  const closed = Promise.all([once(client, 'close'), once(served, 'close')]);
  client.end();
  await closed;
  order.sort((a, b) => Number(a[0] === 'served') - Number(b[0] === 'served'));
  note(order);
});

same('errors of connecting and listening', async (net, note) => {
  const server = net.createServer();
  const { port } = await listening(server);
  const second = net.createServer();
  second.listen(port, '127.0.0.1');
  const [inUse] = (await once(second, 'error')) as [
    NodeJS.ErrnoException & { port?: number; address?: string },
  ];
  note(inUse.code, inUse.syscall, inUse.port === port, inUse.address, second.listening);
  server.close();
  await once(server, 'close');
  const client = net.connect(port, '127.0.0.1');
  const [refused] = (await once(client, 'error')) as [typeof inUse];
  note(refused.code, refused.syscall, refused.port === port, refused.address, refused.errno);
  await end(client);
  const nowhere = net.connect(join(folder, 'nowhere'));
  const [missing] = (await once(nowhere, 'error')) as [typeof inUse];
  note(missing.code, missing.syscall, missing.errno);
  await end(nowhere);
  const far = net.createServer().listen(0, '192.0.2.1');
  const [foreign] = (await once(far, 'error')) as [typeof inUse];
  note(foreign.code, foreign.syscall, foreign.address);
  for (const wrong of [{}, { port: 70000 }, { port: 1, localAddress: 'x' }]) {
    const socket = new net.Socket();
    try {
      socket.connect(wrong as stock.NetConnectOpts);
    } catch (error) {
      note((error as NodeJS.ErrnoException).code);
    }
    await end(socket);
  }
});

same('Unix sockets', async (net, note) => {
  const path = join(folder, `socket-${files++}`);
  const server = net.createServer(socket => socket.end('hello'));
  await listening(server, path).catch(() => {});
  note(server.address() === path);
  const client = net.connect(path);
  note(await text(client), client.remoteAddress, client.address());
  server.close();
  await once(server, 'close');
  await end(client);
  for (const [readableAll, writableAll] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ]) {
    const again = net.createServer().listen({ path, readableAll, writableAll });
    note(await once(again, 'listening'), statSync(path).mode);
    again.close();
    await once(again, 'close');
  }
});

same('addresses, any interface, and a name with several', async (net, note) => {
  const server = net.createServer(socket => socket.end());
  const { port } = await listening(server, 0);
  note((server.address() as stock.AddressInfo).address);
  for (const host of ['127.0.0.1', 'localhost']) {
    const client = net.connect({ port, host });
    await once(client, 'connect');
    note(
      client.remotePort === port,
      client.localAddress === client.remoteAddress,
      client.localFamily?.slice(0, 3),
    );
    client.resume();
    await once(client, 'close');
  }
  const client = net.connect({
    port,
    host: 'two.example',
    autoSelectFamily: true,
    lookup: (_name, _options, done) =>
      done(null, [
        { address: '::2', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ] as never),
  });
  await once(client, 'connect');
  note(client.remoteAddress);
  client.resume();
  await once(client, 'close');
  server.close();
  await once(server, 'close');
});

same('onread gets bytes in the buffers of the program', async (net, note) => {
  const server = net.createServer(socket => socket.end('0123456789'));
  const { port, host } = await listening(server);
  const pieces: string[] = [];
  const client = net.connect({
    port,
    host,
    onread: {
      buffer: Buffer.alloc(4),
      callback(length, buffer) {
        pieces.push(Buffer.from(buffer.subarray(0, length)).toString());
        return true;
      },
    },
  });
  await once(client, 'close');
  note(
    pieces.join(''),
    pieces.every(piece => piece.length <= 4),
  );
  server.close();
  await once(server, 'close');
});

same('maxConnections drops, getConnections counts', async (net, note) => {
  const server = net.createServer(socket => socket.resume());
  server.maxConnections = 1;
  const to = await listening(server);
  const first = net.connect(to);
  await once(server, 'connection');
  const second = net.connect(to);
  const [dropped] = await once(server, 'drop');
  note(dropped.remoteAddress);
  note(await new Promise(resolve => server.getConnections((_, count) => resolve(count))));
  second.on('error', () => {});
  if (!second.closed) await once(second, 'close');
  server.close();
  await end(first);
  await until(() => !server.listening);
});

same('a signal ends a connection attempt, a timeout is emitted', async (net, note) => {
  const [client, served] = await pair(net);
  client.setTimeout(10);
  await once(client, 'timeout');
  note('timeout');
  await end(client, served);
  const controller = new AbortController();
  const socket = new net.Socket({ signal: controller.signal } as stock.SocketConstructorOpts);
  const failed = once(socket, 'error');
  controller.abort();
  note(((await failed) as [Error])[0].name);
});

same('callbacks run in the async context of their socket', async (net, note) => {
  const noted: string[] = [];
  const say = (...what: unknown[]): unknown => noted.push(what.join());
  const storage = new AsyncLocalStorage<string>();
  const server = net.createServer(socket => {
    say('connection', storage.getStore());
    socket.on('data', data => {
      say('data', storage.getStore());
      socket.end(data);
    });
  });
  const { port, host } = await storage.run('server', () => listening(server));
  const clients = ['one', 'two'].map(name =>
    storage.run(name, () => {
      const client = net.connect(port, host, () => say('connect', storage.getStore() === name));
      client.on('data', () => say('answer', storage.getStore() === name));
      client.on('close', () => say('close', storage.getStore() === name));
      client.write('x');
      return once(client, 'close');
    }),
  );
  await Promise.all(clients);
  server.close();
  await once(server, 'close');
  noted.sort();
  note(noted);
});

t.test('a server of Node’s is put on the loop by itself', async t => {
  const server = put(http.createServer((request, response) => response.end(request.url)));
  const { port } = await listening(server);
  const answer = await fetch(`http://127.0.0.1:${port}/path`, { headers: { connection: 'close' } });
  t.equal(await answer.text(), '/path');
  t.equal((server as unknown as { _handle: object })._handle.constructor.name, 'TcpHandle');
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const takeAway: Record<string, (buffer: ArrayBuffer) => void> = {
  transferred: buffer => void structuredClone(buffer, { transfer: [buffer] }),
  shrunk: buffer => (buffer as unknown as { resize(size: number): void }).resize(1000),
};

function resizable(size: number): ArrayBuffer {
  const Resizable = ArrayBuffer as new (size: number, options: object) => ArrayBuffer;
  return new Resizable(size, { maxByteLength: size });
}

t.test(
  'bytes that are gone before they are sent fail their write, and no others are sent for them',
  async t => {
    for (const [how, take] of Object.entries(takeAway)) {
      for (const late of [true, false]) {
        const [client, served] = await pair(onLoop as unknown as Net);
        const buffer = resizable(16_000_000);
        const failed = once(client, 'error');
        const result = new Promise<string | undefined>(resolve => {
          const bytes = new Uint8Array(buffer).fill(65);
          client.write(bytes, error => resolve((error as NodeJS.ErrnoException | undefined)?.code));
        });
        // By then a part is in a block.
        if (late) await turns(3);
        take(buffer);
        let got = 0;
        let strange = 0;
        served.on('data', chunk => {
          got += chunk.length;
          for (const byte of chunk as Buffer) if (byte !== 65) strange++;
        });
        const [[error]] = await Promise.all([failed, once(served, 'close')]);
        t.match(error, { code: 'EFAULT', syscall: 'write' }, how);
        t.equal(await result, 'EFAULT', how);
        t.ok(got < 16_000_000);
        t.equal(strange, 0, 'nothing else was sent');
        await end(client, served);
      }
    }
  },
);

same('large corked writes of small and large parts, of bytes and text', async (net, note) => {
  const [client, served] = await pair(net);
  const got = text(served);
  const sizes = [10, 70_000, 1, 5000, 5000, 200_000, 0, 3, 4096, 4095];
  for (let round = 0; round < 4; round++) {
    client.cork();
    for (const [i, size] of sizes.entries()) {
      const letters = String.fromCharCode(97 + i).repeat(size);
      if ((i + round) % 2 === 0) client.write(Buffer.from(letters));
      else client.write(letters, i % 3 === 0 ? 'latin1' : 'utf8');
    }
    client.uncork();
    if (round % 2 === 0) await new Promise(resolve => client.write('.', resolve));
  }
  client.cork();
  for (let i = 0; i < 30_000; i++) client.write('0123456789');
  client.uncork();
  client.end();
  const all = await got;
  note(all, client.bytesWritten, served.bytesRead);
  await end(client, served);
});

same('chunks that are gone before the stream passes them on have no bytes', async (net, note) => {
  for (const cork of [false, true]) {
    const [client, served] = await pair(net);
    client.write(Buffer.alloc(16_000_000, 65));
    const buffers = [resizable(100), resizable(70_000), resizable(100)];
    if (cork) client.cork();
    for (const [i, buffer] of buffers.entries()) {
      client.write(new Uint8Array(buffer).fill(66 + i), error => note(i, error?.message));
    }
    takeAway.transferred!(buffers[0]!);
    takeAway.transferred!(buffers[1]!);
    client.uncork();
    client.end('end');
    const all = await text(served);
    note(all.length, all.slice(16_000_000));
    await end(client, served);
  }
});
