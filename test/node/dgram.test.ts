/** `node:dgram` on the loop: with `uasync/register`, and by import. */

import stock from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import dgram, { createSocket, Socket } from 'uasync/node/dgram';
import { openFds, scratchFolder, until } from '../harness.js';
import { registered } from './registered.js';

const folder = scratchFolder();
const run = registered(folder);

/** The name of the class of a socket's handle. */
const HANDLE = `
  const handle = socket => {
    const state = socket[Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')];
    return state.handle.constructor.name;
  };
`;

t.test('sockets do what they do without it', async t => {
  const program = `
    import { AsyncLocalStorage } from 'node:async_hooks';
    import dgram from 'node:dgram';
    import { once } from 'node:events';
    const say = (...values) => console.log(...values.map(value => value instanceof Error ? value.code + ' ' + value.syscall : value));
    const thrown = call => { try { call(); return 'nothing'; } catch (error) { return error; } };
    for (const [type, address] of [['udp4', '127.0.0.1'], ['udp6', '::1']]) {
      const server = dgram.createSocket(type);
      say(thrown(() => server.address()), thrown(() => server.setTTL(1)), thrown(() => server.getRecvBufferSize()));
      server.bind(0, address);
      say(thrown(() => server.bind(0)));
      await once(server, 'listening');
      const { port, family } = server.address();
      server.on('message', (bytes, { address, port, family, size }) => {
        server.send([bytes, '/', String(size), family, address], port, address);
      });
      const client = dgram.createSocket(type);
      const answer = async () => String((await once(client, 'message'))[0]);
      const storage = new AsyncLocalStorage();
      storage.run('stored', () => client.send('text', port, address, (error, size) => say(error, size, storage.getStore())));
      say(family, await answer());
      client.send(Buffer.alloc(0), port, address);
      say(await answer());
      client.send(new DataView(new ArrayBuffer(3)), port, address);
      say((await answer()).length);
      client.send('0123456789', 2, 3, port, address);
      say(await answer());
      for (let i = 0; i < 40; i++) client.send('burst ' + i, port, address);
      const burst = new Set();
      while (burst.size < 40) burst.add(await answer());
      say(client.getSendQueueSize(), client.getSendQueueCount());
      client.send(Buffer.alloc(70000), port, address, error => say('too long', error));
      await new Promise(resolve => {
        client.send('x', 0x10000 - 1, address === '::1' ? '::2' : '256.0.0.1', error => {
          say('no address', typeof error);
          resolve();
        });
      });
      client.connect(port, address);
      await once(client, 'connect');
      say(client.remoteAddress().address, thrown(() => client.send('x', port, address)));
      client.send('to the peer');
      say(await answer());
      client.disconnect();
      say(thrown(() => client.remoteAddress()), thrown(() => client.disconnect()));
      say(client.setTTL(5), thrown(() => client.setTTL(300)), client.setMulticastTTL(3), thrown(() => client.setMulticastTTL(300)));
      say(client.setMulticastLoopback(true), thrown(() => client.setBroadcast(true)));
      client.setRecvBufferSize(20000);
      client.setSendBufferSize(30000);
      say(client.getRecvBufferSize(), client.getSendBufferSize(), thrown(() => client.setRecvBufferSize(-1)));
      say(thrown(() => client.addMembership('127.0.0.1')), thrown(() => client.dropMembership('no')));
      say(thrown(() => client.setMulticastInterface('no')), thrown(() => client.addSourceSpecificMembership('1', '2')));
      const other = dgram.createSocket(type);
      other.bind(port, address);
      say((await once(other, 'error'))[0]);
      other.close();
      await once(other, 'close');
      server.close();
      const next = dgram.createSocket(type);
      // The port is free at once.
      next.bind(port, address, () => next.close());
      await once(next, 'close');
      say(thrown(() => server.send('x', port, address)), thrown(() => server.close()));
      client.close();
    }
    const refused = dgram.createSocket('udp4');
    const gone = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address();
    gone.close();
    refused.connect(port, '127.0.0.1');
    await once(refused, 'connect');
    refused.send('refused');
    say((await once(refused, 'error'))[0]);
    refused.close();
    const controller = new AbortController();
    const aborted = dgram.createSocket({ type: 'udp4', signal: controller.signal }).bind(0);
    await once(aborted, 'listening');
    controller.abort();
    await once(aborted, 'close');
    const looked = dgram.createSocket({ type: 'udp4', lookup: (name, family, done) => { say(name, family); done(null, '127.0.0.1', 4); } });
    looked.bind(0, 'somewhere', () => { say(looked.address().address); looked.close(); });
    await once(looked, 'close');
    const group = dgram.createSocket({ type: 'udp4', reuseAddr: true });
    group.bind(0);
    await once(group, 'listening');
    say(thrown(() => group.addMembership('224.0.0.114', '127.0.0.1')));
    group.setMulticastInterface('127.0.0.1');
    group.send('to all', group.address().port, '224.0.0.114');
    say(String((await once(group, 'message'))[0]));
    group.dropMembership('224.0.0.114', '127.0.0.1');
    group.close();
    const quiet = dgram.createSocket('udp4').unref();
    quiet.bind(0);
    process.on('exit', () => say('ends'));
  `;
  const stockRun = await run(program, { env: { UASYNC_REGISTER: 'off' } });
  const ours = await run(program, { env: { UASYNC_REGISTER: 'dgram' } });
  t.equal(ours.stdout, stockRun.stdout);
  t.equal(ours.stderr, stockRun.stderr);
  t.match(ours.stdout, /ends\n$/);
});

t.test('UASYNC_REGISTER says which sockets are on the loop', async t => {
  const program = `
    import dgram from 'node:dgram';
    ${HANDLE}
    class Own extends dgram.Socket {}
    for (const socket of [dgram.createSocket('udp4'), new dgram.Socket('udp6'), new Own('udp4')]) {
      console.log(handle(socket));
      socket.close();
    }
  `;
  t.equal((await run(program, { env: { UASYNC_REGISTER: 'dgram' } })).stdout, 'UdpHandle\n'.repeat(3));
  t.equal((await run(program, { env: { UASYNC_REGISTER: 'net' } })).stdout, 'UDP\n'.repeat(3));
});

t.test('a Node whose handles have changed keeps its own, and one warning says why', async t => {
  const { stdout, stderr } = await run(
    `
    import dgram from 'node:dgram';
    ${HANDLE}
    process.noDeprecation = true;
    process.binding('udp_wrap').UDP.prototype.sendFaster = () => {};
    for (let i = 0; i < 2; i++) {
      const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
        console.log(handle(socket));
        socket.close();
      });
    }
  `,
    { env: { UASYNC_REGISTER: 'dgram' } },
  );
  t.equal(stdout, 'UDP\nUDP\n');
  t.equal(stderr.match(/node:dgram stays as it is: on Node v[\d.]+ handles have sendFaster/g)?.length, 1);
});

t.test('a program is told of no sockets but its own', async t => {
  const program = `
    import dgram from 'node:dgram';
    import { subscribe } from 'node:diagnostics_channel';
    ${HANDLE}
    const sockets = [];
    subscribe('udp.socket', ({ socket }) => sockets.push(socket));
    const socket = dgram.createSocket('udp4');
    console.log(handle(socket), sockets.length, sockets[0] === socket);
  `;
  const { stdout } = await run(program, { env: { UASYNC_REGISTER: 'dgram' } });
  t.equal(stdout, 'UdpHandle 1 true\n');
});

t.test('what was sent leaves before process.exit()', async t => {
  const receiver = stock.createSocket('udp4').bind(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address();
  const received: string[] = [];
  receiver.on('message', bytes => received.push(String(bytes)));
  await run(
    `
    import dgram from 'node:dgram';
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
      for (let i = 0; i < 5; i++) socket.send('early ' + i, ${port}, '127.0.0.1');
      setTimeout(() => {
        // The name is looked up in the next tick, on some Nodes.
        for (let i = 0; i < 5; i++) socket.send('last ' + i, ${port}, '127.0.0.1');
        process.nextTick(() => process.exit());
      }, 10);
    });
  `,
    { env: { UASYNC_REGISTER: 'dgram' } },
  );
  await until(() => received.length === 10);
  t.equal(new Set(received).size, 10);
  receiver.close();
});

t.test('sockets are sent to a child, and are those of a cluster', async t => {
  const { stdout } = await run(
    `
    import cluster from 'node:cluster';
    import { fork } from 'node:child_process';
    import dgram from 'node:dgram';
    import { once } from 'node:events';
    ${HANDLE}
    if (process.argv[2] === 'child') {
      process.on('message', (text, socket) => {
        socket.on('message', (bytes, { port, address }) => {
          socket.send('child has ' + bytes, port, address, () => { socket.close(); process.disconnect(); });
        });
        process.send('ready');
      });
    } else if (cluster.isWorker) {
      const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => process.send(socket.address().port));
      socket.on('message', (bytes, { port, address }) => socket.send(handle(socket), port, address));
    } else {
      const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const { port } = socket.address();
      const client = dgram.createSocket('udp4');
      const child = fork(process.argv[1], ['child']);
      const exited = once(child, 'exit');
      child.send('socket', socket);
      await once(child, 'message');
      socket.close();
      client.send('it', port, '127.0.0.1');
      console.log(handle(client), String((await once(client, 'message'))[0]));
      await exited;
      const worker = cluster.fork();
      const [shared] = await once(worker, 'message');
      client.send('whose', shared, '127.0.0.1');
      console.log(String((await once(client, 'message'))[0]));
      client.close();
      worker.disconnect();
    }
  `,
    { env: { UASYNC_REGISTER: 'dgram' } },
  );
  t.equal(stdout, 'UdpHandle child has it\nUDP\n');
});

t.test('by import, with no register: descriptors go, also with datagrams under way', async t => {
  // What the first socket has opened stays open.
  const first = createSocket('udp4').bind(0, '127.0.0.1');
  await once(first, 'listening');
  first.close();
  await once(first, 'close');
  const before = openFds();
  const server = createSocket('udp4', (bytes, { port, address }) => server.send(bytes, port, address));
  t.ok(server instanceof Socket && server instanceof stock.Socket);
  t.equal(dgram.createSocket, createSocket);
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createSocket({ type: 'udp4' });
  const failures: (Error | null)[] = [];
  for (let i = 0; i < 200; i++)
    client.send(`datagram ${i}`, port, '127.0.0.1', error => failures.push(error));
  await once(client, 'message');
  for (let i = 0; i < 200; i++)
    client.send(`datagram ${i}`, port, '127.0.0.1', error => failures.push(error));
  process.nextTick(() => {
    client.close();
    server.close();
  });
  await until(() => openFds() <= before);
  await until(() => failures.length === 400);
  t.ok(failures.every(error => error === null || (error as NodeJS.ErrnoException).code === 'ECANCELED'));
});

t.test('bytes that were transferred away before the call are none, as in Node', async t => {
  for (const module of [stock, dgram]) {
    const server = module.createSocket('udp4').bind(0, '127.0.0.1');
    const client = module.createSocket('udp4').bind(0, '127.0.0.1');
    t.teardown(() => {
      client.close();
      server.close();
    });
    await Promise.all([once(server, 'listening'), once(client, 'listening')]);
    const { port } = server.address();
    const bytes = new Uint8Array(8);
    structuredClone(bytes, { transfer: [bytes.buffer] });
    const sent = new Promise(resolve => {
      client.send(bytes, port, '127.0.0.1', (error, length) => resolve(error ?? length));
    });
    const [length, [message]] = await Promise.all([sent, once(server, 'message')]);
    t.equal(length, 0);
    t.equal(message.length, 0);
  }
});
