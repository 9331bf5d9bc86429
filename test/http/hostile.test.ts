/** Peers that would use up memory or connections. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { file, Response } from 'uasync/http';
import { checkLeaks, collectGarbage, scratchFolder, until } from '../harness.js';
import { Peer, served } from './served.js';

checkLeaks();

const folder = scratchFolder();
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

t.test('a body in chunks of a byte costs no more than its bytes', async t => {
  const length = 1 << 19;
  const server = await served(t, async request => new Response(String((await request.text()).length)));
  const peer = await Peer.connect(server);
  peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  await until(() => server.stats().active === 1);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const piece = Buffer.from('1\r\nx\r\n'.repeat(1 << 14));
  for (let sent = 0; sent < length; sent += 1 << 14) {
    await new Promise(resolve => peer.socket.write(piece, resolve));
  }
  // All but the last chunk has been taken, or is in the socket's buffers.
  await until(() => peer.socket.writableLength === 0);
  collectGarbage();
  const used = process.memoryUsage().heapUsed - before;
  t.ok(used < 16 * length, `${used} bytes of heap`);
  peer.send('0\r\n\r\n');
  await peer.until(received => received.endsWith(String(length)));
  peer.close();
});

t.test('idleTimeout: of a peer that does not take a file', async t => {
  const path = join(folder, 'large');
  writeFileSync(path, Buffer.alloc(32 << 20));
  const server = await served(t, () => new Response(file(path)), {
    idleTimeout: 60,
    onError: () => undefined,
  });
  const peer = await Peer.connect(server);
  peer.socket.pause();
  peer.send(GET);
  await until(() => server.stats().cut === 1);
  peer.close();
});
