/** What the software ring knows of a descriptor is not true of the next one with its number. */
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { loop } from 'uasync';
import { type Connection, connect, listen } from 'uasync/net';
import { checkLeaks, until } from '../harness.js';
import { rawListener } from './raw-listener.js';

loop({ backend: 'epoll' });
checkLeaks();

t.test(
  'a TCP connection that other code has closed, then a Unix socket that receives descriptors',
  async t => {
    const listener = await listen({ path: `\0uasync-reused-${process.pid}`, receiveFds: true });
    // A Listener would accept the connection itself, before the call below does.
    const { fd: tcp, port } = rawListener();
    const peer = net.connect(port, '127.0.0.1');
    await once(peer, 'connect');
    const file = openSync('/dev/null', 'r');
    const accepted = await loop().submit(sqe => sqe.accept(tcp));
    closeSync(accepted);
    const both = await Promise.all([connect({ path: `\0uasync-reused-${process.pid}` }), listener.accept()]);
    t.ok(both.some(({ fd }) => fd === accepted));
    const [reader, writer] = both[0].fd === accepted ? both : [both[1], both[0]];
    let got = '';
    const reading = (async () => {
      for await (const chunk of reader as Connection) got += chunk;
    })();
    await writer.sendFds([file], Buffer.from('first'));
    await writer.write('second');
    await until(() => got === 'firstsecond');
    await writer.close();
    await reading;
    closeSync(file);
    peer.destroy();
    closeSync(tcp);
    await Promise.all([reader.close(), listener.close()]);
  },
);
