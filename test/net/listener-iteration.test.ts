import t from 'tap';
import { type Connection, connect, type InetAddress, listen } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { quietPort } from '../ports.js';

checkLeaks();

const HERE = { host: '127.0.0.1', port: 0 };

t.test('steps that wait together are served in order, and all end when the listener closes', async t => {
  const server = await listen(HERE);
  const steps = server[Symbol.asyncIterator]();
  const waiting = [steps.next(), steps.next(), steps.next()];
  const { port } = server.address as InetAddress;
  const client = await connect({ host: '127.0.0.1', port });
  const first = await waiting[0]!;
  t.equal(first.done, false);
  const served: Connection = first.value!;
  t.same(served.remoteAddress, client.localAddress);

  await server.close();
  t.same(await Promise.all(waiting.slice(1)), [
    { value: undefined, done: true },
    { value: undefined, done: true },
  ]);
  t.same(await steps.next(), { value: undefined, done: true }, 'and so does one that comes later');
  await client.write('still here');
  t.equal(String(await served.read()), 'still here', 'what was handed out goes on');
  await Promise.all([client.close(), served.close()]);
});

t.test('leaving the iteration closes the listener, and nobody else gets in', async t => {
  const port = await quietPort();
  const server = await listen({ host: '127.0.0.1', port });
  const client = await connect({ host: '127.0.0.1', port });
  for await (const served of server) {
    await served.close();
    break;
  }
  t.ok(server.closed);
  t.equal(server.fd, -1);
  await t.rejects(connect({ host: '127.0.0.1', port }), { code: 'ECONNREFUSED' });
  await client.close();
});

t.test('accept and iteration share the connections', async t => {
  const server = await listen(HERE);
  const { port } = server.address as InetAddress;
  const steps = server[Symbol.asyncIterator]();
  const served = [server.accept(), steps.next()] as const;
  const clients = [await connect({ host: '127.0.0.1', port }), await connect({ host: '127.0.0.1', port })];
  const accepted = await served[0];
  const { value } = await served[1];
  t.same(accepted.remoteAddress, clients[0]!.localAddress);
  t.same(value!.remoteAddress, clients[1]!.localAddress);
  const refused = t.rejects(server.accept(), { code: 'ERR_CLOSED' });
  await Promise.all([...clients, accepted, value!, server].map(each => each.close()));
  await refused;
});

t.test('after a close, quiet or not, every call says that it is closed', async t => {
  await using server = await listen(HERE);
  const { port } = server.address as InetAddress;
  for (const quiet of [true, false]) {
    const client = await connect({ host: '127.0.0.1', port });
    const served = await server.accept();
    // At its end a connection has nothing in flight; while it waits for bytes it has.
    if (quiet) {
      await client.shutdown();
      t.equal(await served.read(), null);
    }
    const waiting = quiet ? undefined : t.rejects(served.read(), { code: 'ERR_CLOSED' });
    const closing = served.close();
    t.equal(served.close(), closing, 'a second close is the first');
    await t.rejects(served.read(), { code: 'ERR_CLOSED' });
    await t.rejects(served.write('x'), { code: 'ERR_CLOSED' });
    await waiting;
    await closing;
    await t.rejects(served.read(), { code: 'ERR_CLOSED' });
    t.equal(served.fd, -1);
    await client.close();
  }
});
