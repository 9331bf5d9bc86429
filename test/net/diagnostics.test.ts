/** Channels of node:diagnostics_channel. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import t, { type Test } from 'tap';
import { bind, connect, listen } from 'uasync/net';
import { checkLeaks, turns } from '../harness.js';
import { quietPort, refusingPort } from '../ports.js';
import { HOST } from './sockets.js';

checkLeaks();

interface Message {
  connection?: unknown;
  socket?: unknown;
  listener?: unknown;
  address?: { port: number };
  bytesRead?: number;
  bytesWritten?: number;
  error?: Error;
}

/** What is published while the test runs, in order. */
function messages(t: Test, ...names: string[]): [name: string, message: Message][] {
  const seen: [string, Message][] = [];
  for (const name of names) {
    const note = (message: unknown): void => void seen.push([name, message as Message]);
    subscribe(`uasync:${name}`, note);
    t.teardown(() => unsubscribe(`uasync:${name}`, note));
  }
  return seen;
}

t.test('a connection, from connect and accept to close, by both sides', async t => {
  const seen = messages(t, 'net:connect', 'net:accept', 'net:close', 'net:error');
  const listener = await listen({ port: 0, host: HOST });
  const [client, server] = await Promise.all([connect(listener.address), listener.accept()]);
  t.same(seen.map(([name]) => name).sort(), ['net:accept', 'net:connect']);
  const of = (name: string): Message => seen.find(([other]) => other === name)![1];
  t.equal(of('net:connect').connection, client);
  t.same(of('net:connect').address, listener.address);
  t.equal(of('net:accept').connection, server);
  t.equal(of('net:accept').listener, listener);
  t.same(of('net:accept').address, client.localAddress);
  await client.write('hello');
  await server.read();
  seen.length = 0;
  await Promise.all([client.close(), server.close()]);
  t.same(
    seen.map(([name]) => name),
    ['net:close', 'net:close'],
  );
  const closed = seen.find(([, { connection }]) => connection === server)![1];
  t.match(closed, { address: client.localAddress, bytesRead: 5, bytesWritten: 0 });
  await listener.close();
});

t.test('errors: a reset, and a connection that is refused', async t => {
  const seen = messages(t, 'net:error');
  const listener = await listen({ port: 0, host: HOST });
  const [client, server] = await Promise.all([connect(listener.address), listener.accept()]);
  const rejected = t.rejects(server.read(), { code: 'ECONNRESET' });
  await client.reset();
  await rejected;
  t.equal(seen.length, 1);
  t.equal(seen[0]![1].connection, server);
  t.match(seen[0]![1].error, { code: 'ECONNRESET', syscall: 'read' });
  await server.close();
  await listener.close();
  await t.rejects(connect({ host: HOST, port: await refusingPort(t) }));
  t.match(seen[1]![1], { connection: undefined, error: { code: 'ECONNREFUSED' } });
});

t.test('datagram sockets', async t => {
  const seen = messages(t, 'datagram:bind', 'datagram:connect', 'datagram:close', 'datagram:error');
  const gone = await bind({ host: HOST });
  await gone.close();
  const port = await quietPort(HOST, 'udp');
  const socket = await bind({ host: HOST });
  await socket.connect(port, HOST);
  await socket.send('x');
  await t.rejects(socket.recv(), { code: 'ECONNREFUSED' });
  await socket.close();
  await turns();
  t.same(
    seen.map(([name, message]) => [name, message.socket === socket]),
    [
      ['datagram:bind', false],
      ['datagram:close', false],
      ['datagram:bind', true],
      ['datagram:connect', true],
      ['datagram:error', true],
      ['datagram:close', true],
    ],
  );
  t.equal(seen[3]![1].address!.port, port);
});

t.test('a subscriber may use the connection, and what it throws is its own affair', async t => {
  const listener = await listen({ port: 0, host: HOST });
  const greet = (message: unknown): void => {
    void (message as { connection: { write(text: string): Promise<void> } }).connection.write('hello');
  };
  subscribe('uasync:net:accept', greet);
  const [client, server] = await Promise.all([connect(listener.address), listener.accept()]);
  unsubscribe('uasync:net:accept', greet);
  t.equal(String(await client.read()), 'hello');
  await Promise.all([client.close(), server.close(), listener.close()]);
});
