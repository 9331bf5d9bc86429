/** An operation of the user's waits for a socket that its owner closes, by a call without an entry. */
import t from 'tap';
import { loop } from 'uasync';
import { connect, listen } from 'uasync/net';
import { POLLIN, POLLPRI } from '../../src/sys/abi/flags.js';
import { checkLeaks } from '../harness.js';
import { HOST, portOf } from '../net/sockets.js';

loop({ backend: 'epoll' });
checkLeaks();

t.test('it is cancelled', async t => {
  const listener = await listen({ port: 0, host: HOST });
  const client = await connect({ port: portOf(listener), host: HOST });
  const server = await listener.accept();
  const waits = [POLLPRI, POLLIN].map(events => loop().submit(sqe => sqe.pollAdd(client.fd, events)));
  const outcomes = Promise.allSettled(waits);
  // The thread sleeps until this timer.
  await new Promise(resolve => setTimeout(resolve, 20));
  const closed = client.reset();
  t.strictSame(
    (await outcomes).map(one => (one.status === 'rejected' ? one.reason.code : one.value)),
    ['ECANCELED', 'ECANCELED'],
  );
  await Promise.all([closed, server.reset(), listener.close()]);
});
