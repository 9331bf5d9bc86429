/** Bad weather: io_uring refused, no descriptors, workers with sockets that end or are ended. */
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { scratchFolder, until } from './harness.js';
import { built, output, serve } from './programs.js';

/** Sockets that this process has open. */
function openSockets(): number {
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

/** What attempts.ts has found out. */
interface Attempts {
  available: unknown[];
  failures: { code: string; message: string }[];
  text: string;
  backends: string[];
  warnings: { code: string; message: string }[];
}

async function attempts(errno: number, ...args: string[]): Promise<Attempts> {
  const deny = [built('test/fixtures/deny-io-uring.js'), String(errno)];
  const printed = await output(process.execPath, [...deny, built('test/fixtures/attempts.js'), ...args]);
  return JSON.parse(printed) as Attempts;
}

t.test('where seccomp denies io_uring all runs on epoll, and one warning says why', async t => {
  for (const [errno, name] of [
    [1, 'EPERM'],
    [38, 'ENOSYS'],
  ] as const) {
    const cause = new RegExp(`^io_uring cannot be used \\(${name}\\): a seccomp filter is active: .*profile`);
    const { available, failures, text, backends, warnings } = await attempts(errno);
    t.strictSame(available, [false, false, null, 'epoll']);
    t.equal(failures.length, 2);
    for (const error of failures) t.match(error, { code: 'ERR_IO_URING_UNAVAILABLE', message: cause });
    t.equal(text, 'hello');
    t.strictSame(backends, ['epoll', 'epoll']);
    t.equal(warnings.length, 1, 'once a process, whatever its threads do');
    t.match(warnings[0], { name: 'UasyncWarning', code: 'UASYNC_FALLBACK', message: cause });
  }
  t.strictSame((await attempts(1, 'quiet')).warnings, [], 'who has asked for silence gets it');
});

t.test('a server that runs out of descriptors pauses, warns, and goes on', async t => {
  const { port, child } = await serve('test/fixtures/few-descriptors.js');
  let printed = '';
  child.stdout!.on('data', text => {
    printed += text;
  });
  const connected = async (): Promise<net.Socket> => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  // The kernel's backlog takes those that the server cannot.
  const sockets = await Promise.all(Array.from({ length: 100 }, connected));
  await until(() => printed.includes('pauses\n'));
  // A while in which it could spin.
  await sleep(700);
  const answered: net.Socket[] = [];
  for (const socket of sockets) socket.once('data', () => answered.push(socket)).write('x');
  // Each connection that closes makes room for one that was waiting.
  await until(() => answered.length !== 0);
  for (let i = 0; i < 3; i++) {
    const { length } = answered;
    answered[i]!.destroy();
    await until(() => answered.length > length);
  }
  for (const socket of sockets) socket.destroy();
  const late = await connected();
  late.write('still there?');
  const [data] = await once(late, 'data');
  t.equal(String(data), 'still there?');
  late.destroy();
  child.kill();
  await once(child, 'close');
  const { served, warnings, cpu } = JSON.parse(printed.trim().split('\n').at(-1)!);
  t.ok(served > 20, `${served} were served`);
  t.equal(warnings, 1);
  t.ok(cpu < 400_000, `${cpu} us of CPU: it did not spin`);
});

t.test('without a free descriptor no socket is made, and the next one is', async t => {
  const program = `ulimit -n 100; exec "$0" "$1"`;
  const printed = await output('sh', [
    '-c',
    program,
    process.execPath,
    built('test/fixtures/no-descriptor.js'),
  ]);
  const made = ['made', 'made', 'made', 'made'];
  t.strictSame(JSON.parse(printed), {
    before: made,
    without: ['connect EMFILE', 'listen EMFILE', 'bind EMFILE', 'bind EMFILE'],
    after: made,
  });
});

t.test('workers with a server each', async t => {
  await Promise.all(
    [1, 2, 3].map(async id => {
      const worker = new Worker(built('test/fixtures/echo-worker.js'));
      const [port] = await once(worker, 'message');
      const socket = net.connect(port, '127.0.0.1');
      socket.write(`to worker ${id}`);
      const [data] = await once(socket, 'data');
      t.equal(String(data), `to worker ${id}`);
      socket.end();
      await once(socket, 'close');
      worker.postMessage('close');
      const [code] = await once(worker, 'exit');
      t.equal(code, 0, 'it ends by itself once its server is closed');
    }),
  );
});

t.test('a worker that is terminated under load does no harm', async t => {
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(built('test/fixtures/echo-worker.js'));
    const [port] = await once(worker, 'message');
    const sockets = Array.from({ length: 20 }, () => {
      const socket = net.connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('data', data => socket.write(data));
      socket.write('x'.repeat(20_000));
      return socket;
    });
    await new Promise(resolve => setTimeout(resolve, 50));
    await worker.terminate();
    for (const socket of sockets) socket.destroy();
  }
  t.pass('still alive');
});

t.test('a worker that is terminated leaves no socket behind', async t => {
  const worker = new Worker(built('test/fixtures/echo-worker.js'));
  const [port] = await once(worker, 'message');
  const socket = net.connect(port, '127.0.0.1');
  socket.write('x');
  await once(socket, 'data');
  const closed = once(socket, 'close');
  socket.resume();
  await worker.terminate();
  await closed;
  t.pass('its peer sees the end');
  // The kernel ends a ring in its own time.
  for (;;) {
    const late = net.connect(port, '127.0.0.1');
    const [error] = await Promise.race([once(late, 'close').then(() => []), once(late, 'connect')]).catch(
      error => [error],
    );
    late.destroy();
    if (error?.code === 'ECONNREFUSED') break;
  }
  t.pass('nobody listens there any more');
});

t.test('a worker that is terminated while it opens and closes sockets leaves none', async t => {
  const server = net.createServer(socket => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const stale = join(scratchFolder(), 'stale');
  await output(process.execPath, [built('test/fixtures/leave-socket.js'), stale]);
  const before = openSockets();
  const worker = new Worker(built('test/fixtures/terminated-midway.js'), { workerData: { port, stale } });
  await once(worker, 'message');
  await worker.terminate();
  await until(() => openSockets() <= before);
  t.equal(openSockets(), before);
  server.close();
});

t.test('garbage collection under load loses and corrupts nothing', async t => {
  const { connect, listen } = await import('uasync/net');
  const { loop } = await import('uasync');
  const server = await listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.address as net.AddressInfo;
  void (async () => {
    for await (const conn of server) {
      (async () => {
        for await (const chunk of conn) await conn.write(Buffer.from(chunk));
      })().catch(() => {});
    }
  })();
  const timer = setInterval(() => (globalThis as { gc?: () => void }).gc?.(), 5);
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, async (_, id) => {
      await using conn = await connect({ port, host: '127.0.0.1' });
      for (let round = 0; round < 15; round++) {
        const sent = Buffer.alloc(1 + ((id * 977 + round * 4231) % 50_000), `${id}:${round};`);
        conn.write(sent);
        const parts: Buffer[] = [];
        for (let got = 0; got < sent.length; ) {
          const chunk = (await conn.read())!;
          parts.push(chunk);
          got += chunk.length;
        }
        if (!Buffer.concat(parts).equals(sent)) return false;
      }
      return true;
    }),
  );
  clearInterval(timer);
  t.ok(outcomes.every(Boolean));
  await server.close();
  await loop().run();
  t.equal(loop().stats().blocks.used, 0);
});
