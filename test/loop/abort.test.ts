/** One AbortSignal for many calls. */
import { getEventListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { loop, sleep } from 'uasync';
import { bind, connect, type InetAddress, listen } from 'uasync/net';
import { checkLeaks, scratchFolder, turns } from '../harness.js';

checkLeaks();
const folder = scratchFolder();
const HOST = '127.0.0.1';

/** Warnings of Node's that come while `work` is under way. */
async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const warnings: string[] = [];
  const listener = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listener);
  await work();
  await turns();
  process.off('warning', listener);
  return warnings;
}

t.test('calls of every kind share one listener, and let go of it', async t => {
  const { signal } = new AbortController();
  await using server = await listen({ port: 0, host: HOST });
  await using socket = await bind({ host: HOST });
  const { port } = server.address as InetAddress;
  const path = join(folder, 'file');
  writeFileSync(path, 'contents');
  const file = await open(path);
  const warnings = await warningsOf(async () => {
    const conns = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const [conn, accepted] = await Promise.all([
          connect({ port, host: HOST, signal }),
          server.accept({ signal }),
        ]);
        return { conn, accepted };
      }),
    );
    const waits = conns.flatMap(({ conn, accepted }) => [
      conn.sendFile(file, { signal }),
      accepted.readExactly(8, { signal }),
      socket.send('x', (socket.address as InetAddress).port, HOST, { signal }),
      socket.recv({ signal }),
      sleep(5, { signal }),
      loop()
        .submit(sqe => sqe.timeout(1), { signal })
        .catch(() => {}),
    ]);
    t.equal(getEventListeners(signal, 'abort').length, 1);
    await Promise.all(waits);
    await Promise.all(conns.map(({ conn, accepted }) => Promise.all([conn.close(), accepted.close()])));
  });
  t.strictSame(warnings, []);
  t.equal(getEventListeners(signal, 'abort').length, 0);
  await file.close();
});

t.test('an abort ends a thousand calls', async t => {
  const controller = new AbortController();
  const { signal } = controller;
  await using socket = await bind({ host: HOST });
  const sleeps = Array.from({ length: 500 }, () => sleep(1e6, { signal }));
  const receives = Array.from({ length: 500 }, () => socket.recv({ signal }));
  controller.abort();
  for (const result of await Promise.allSettled([...sleeps, ...receives])) {
    t.match(result, { status: 'rejected', reason: { code: 'ABORT_ERR' } });
  }
  t.equal(getEventListeners(signal, 'abort').length, 0);
});
