/** A listener that another process goes on with: its connections do not wake the one that has closed it. */
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { SoftRing } from '../../src/soft/soft-ring.js';
import { ECANCELED } from '../../src/sys/abi/errno.js';
import { POLLIN } from '../../src/sys/abi/flags.js';
import { libc } from '../../src/sys/libc/libc.js';
import { until } from '../harness.js';
import { rawListener } from './raw-listener.js';

t.test('closed here, it is out of the epoll instance', async t => {
  const { fd, port } = rawListener();
  // As another process has it.
  const other = libc().duplicate(fd);

  const ring = new SoftRing(8, 8);
  ring.getSqe()!.userData(1).multishotAccept(fd);
  ring.submitAndGetEvents();
  ring.getSqe()!.userData(2).close(fd);
  ring.submitAndGetEvents();
  const results = new Map<number, number>();
  ring.reapQueue({ onCqe: (low, _high, res) => void results.set(low, res) });
  t.strictSame(
    [...results],
    [
      [1, ECANCELED],
      [2, 0],
    ],
  );

  const client = net.connect(port, '127.0.0.1');
  await once(client, 'connect');
  // On a busy machine a client is connected before its connection can be accepted.
  await until(() => ring.calls.poll(other, POLLIN) === POLLIN);
  t.pass('a connection waits for the other process');
  t.equal(ring.calls.poll(ring.readiness.fd, POLLIN), 0, 'and does not wake this one');
  client.destroy();
  ring.close();
  libc().close(other);
});
