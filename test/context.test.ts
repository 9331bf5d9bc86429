/** Users' code runs in the async context (AsyncLocalStorage) that it was given in. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { Channel, callSoon, channelPair, loop, nop, signals, sleep } from 'uasync';
import * as fs from 'uasync/fs';
import { bind, type Connection, type Listener, listen } from 'uasync/net';
import { checkLeaks, scratchFolder } from './harness.js';
import { type Ending, HOST, pair, portOf } from './net/sockets.js';
import { ask, open, start, portOf as threadPort } from './thread-server.js';

checkLeaks();

const store = new AsyncLocalStorage<string>();
const where = (): string | undefined => store.getStore();
const folder = scratchFolder();
const file = join(folder, 'file');
writeFileSync(file, 'x'.repeat(1000));

// Both of the calls below send one, and the second must not end the process.
process.on('SIGUSR2', () => {});

type Seen = string | undefined;

/** The context that a callback is called in. */
function called(register: (callback: () => void) => void): Promise<Seen> {
  return new Promise(resolve => register(() => resolve(where())));
}

/** What is seen where: each is called twice at once, in two contexts. */
const CALLS: Record<string, (test: Ending) => Promise<Seen | Seen[]>> = {
  callSoon: () => called(callSoon),
  'loop.callSoon': () => called(callback => loop().callSoon(callback)),
  'callSoon within callSoon': () => called(callback => callSoon(() => callSoon(callback))),
  'prepare of submit': async () => {
    let seen: Seen;
    await loop().submit(sqe => {
      seen = where();
      sqe.nop();
    });
    return [seen, where()];
  },
  run: async () => {
    await loop().run();
    return where();
  },
  nop: async () => {
    await nop();
    return where();
  },
  'sleep, aborted': async () => {
    const controller = new AbortController();
    setImmediate(() => store.run('elsewhere', () => controller.abort()));
    await sleep(1e6, { signal: controller.signal }).catch(() => {});
    return where();
  },
  'then of a read': async test => {
    const [client, server] = await pair(test);
    const seen = called(callback => void client.read().then(callback));
    await store.run('elsewhere', () => server.write('x'));
    return seen;
  },
  'a read that times out': async test => {
    const [client] = await pair(test);
    await client
      .setTimeout(5)
      .read({ timeout: 2 })
      .catch(() => {});
    return where();
  },
  'the signal of a connection': async test => {
    const [client, server] = await pair(test);
    const gone = called(callback => client.signal.addEventListener('abort', callback));
    await store.run('elsewhere', () => server.reset());
    return gone;
  },
  'for await of a connection': async test => {
    const [client, server] = await pair(test);
    const seen: Seen[] = [];
    await store.run('elsewhere', () => Promise.all([server.write('x'), server.shutdown()]));
    for await (const _ of client) seen.push(where());
    return [...seen, where()];
  },
  'for await of a listener': async () => {
    const listener = await listen({ port: 0, host: HOST });
    const socket = await store.run('elsewhere', () => open(portOf(listener as Listener)));
    let seen: Seen;
    for await (const conn of listener) {
      seen = where();
      await conn.close();
      break;
    }
    socket.destroy();
    return seen;
  },
  'for await of a datagram socket': async () => {
    const socket = await bind({ host: HOST });
    const sender = await store.run('elsewhere', () => bind({ host: HOST }));
    setImmediate(() => store.run('elsewhere', () => sender.send('x', socket.address.port, HOST)));
    let seen: Seen;
    for await (const _ of socket) {
      seen = where();
      break;
    }
    await sender.close();
    return seen;
  },
  channels: async () => {
    const [here, there] = channelPair().map(end => new Channel(end)) as [Channel, Channel];
    const receiving = called(callback => void here.recv().then(callback));
    await store.run('elsewhere', () => there.send({ any: 'value' }));
    const seen = [await receiving];
    setImmediate(() => store.run('elsewhere', () => void there.send('x')));
    for await (const _ of here) {
      seen.push(where());
      break;
    }
    await Promise.all([here.close(), there.close()]);
    return seen;
  },
  signals: async () => {
    setImmediate(() => store.run('elsewhere', () => void process.kill(process.pid, 'SIGUSR2')));
    let seen: Seen;
    for await (const _ of signals('SIGUSR2').ref()) {
      seen = where();
      break;
    }
    return seen;
  },
  files: async () => {
    await fs.stat(file);
    const seen = [where()];
    await Promise.all([fs.readFile(file), fs.readMany([file, file])]);
    return [...seen, where()];
  },
  'pieces of writeFile': async () => {
    const seen: Seen[] = [];
    async function* pieces(): AsyncGenerator<string> {
      for (let i = 0; i < 3; i++) {
        seen.push(where());
        yield 'piece';
      }
    }
    await fs.writeFile(join(folder, `pieces of ${where()}`), pieces());
    return seen;
  },
  'streams of files': async () => {
    const handle = await fs.open(file);
    const stream = handle.createReadStream({ highWaterMark: 100 });
    const seen: Seen[] = [];
    stream.on('data', () => seen.push(where()));
    seen.push(await called(callback => stream.on('close', callback)));
    return seen;
  },
  'the listeners of a duplex': async test => {
    const [client, server] = await pair(test);
    const duplex = client.toDuplex({ allowHalfOpen: true }).setTimeout(5);
    // Its timer holds no process.
    const held = setInterval(() => {}, 1000);
    const seen = [await called(callback => duplex.once('timeout', callback))];
    clearInterval(held);
    duplex.setTimeout(0);
    const data = called(callback => duplex.once('data', callback));
    const end = called(callback => duplex.on('end', callback));
    await store.run('elsewhere', () => server.write('x'));
    seen.push(await data);
    const more = called(callback => duplex.once('data', callback));
    // Reading goes on from another context.
    duplex.pause();
    store.run('elsewhere', () => duplex.resume());
    await store.run('elsewhere', () => server.write('x'));
    seen.push(await more);
    seen.push(await called(callback => duplex.write('x', callback)));
    await store.run('elsewhere', () => server.shutdown());
    seen.push(await end);
    const close = called(callback => duplex.on('close', callback));
    store.run('elsewhere', () => duplex.destroy());
    seen.push(await close);
    return seen;
  },
};

for (const [name, call] of Object.entries(CALLS)) {
  t.test(name, async t => {
    const both = ['one', 'two'].map(id => store.run(id, () => call(t)));
    const [one, two] = await Promise.all(both);
    t.same(new Set([one].flat()), new Set(['one']));
    t.same(new Set([two].flat()), new Set(['two']));
  });
}

t.test('a context lasts no longer than its request', async t => {
  const seen: Seen[] = [];
  const server = http.createServer((request, response) => {
    seen.push(where());
    store.run(request.url!, () => {
      request.on('data', () => {});
      request.on('end', () => {
        seen.push(where());
        callSoon(() => response.end(where()));
      });
    });
  });
  const listener = await listen({ port: 0, host: HOST });
  const serving = store.run('server', async () => {
    const conn: Connection = await listener.accept();
    server.emit('connection', conn.toDuplex());
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const path of ['/1', '/2', '/3']) {
    const request = http.request({
      port: portOf(listener as Listener),
      host: HOST,
      path,
      agent,
      method: 'POST',
    });
    request.end('a body');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    t.equal(String(await response.toArray()), path);
  }
  await serving;
  t.same(
    seen.filter((_, i) => i % 2 === 0),
    ['server', 'server', 'server'],
    'each begins in that of the connection',
  );
  agent.destroy();
  await listener.close();
});

t.test('threads', async t => {
  const seen: Seen[] = [];
  let crashed!: () => void;
  const crash = new Promise<void>(resolve => {
    crashed = resolve;
  });
  const onCrash = (): void => {
    seen.push(where());
    crashed();
  };
  const server = await store.run('serving', () =>
    start(1, {}, { restartDelay: 1, onStart: () => seen.push(where()), onCrash }),
  );
  const socket = await open(threadPort(server));
  await ask(socket, 'exit').catch(() => {});
  socket.destroy();
  await crash;
  while (seen.length < 3) await sleep(5);
  t.same(seen, ['serving', 'serving', 'serving'], 'a start, a crash, another start');
  await server.stop();
});
