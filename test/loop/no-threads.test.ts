/** What operations answer that wait for a worker thread of the kernel, where the user may have no more threads. */
import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import { POLLIN } from '../../src/ring/flags.js';
import { evalAsUser, noOrdinaryUser } from '../ordinary-user.js';
import '../patience.js';

/** What a program of the user prints as JSON: `outcome(f)` is a result, or what an error says. */
async function whenUsedUp(t: Test, body: string): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await evalAsUser(`
    import { execFileSync } from 'node:child_process';
    import { existsSync, mkdtempSync, openSync, promises, rmSync } from 'node:fs';
    import net from 'node:net';
    import { loop } from 'uasync';
    import * as fs from 'uasync/fs';
    import { connect, listen } from 'uasync/net';
    import { Ring } from 'uasync/ring';
    const folder = mkdtempSync('/tmp/uasync-no-threads-');
    const outcome = async f => {
      try {
        return await f();
      } catch ({ code, errno, syscall, path, message, cause }) {
        return { code, errno, syscall, path, message, cause: cause?.code };
      }
    };
    // Where libuv cannot start the threads of its pool it aborts.
    await promises.readdir(folder);
    const useUp = () => execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1:1']);
    const results = {};
    try {
      ${body}
    } finally {
      rmSync(folder, { recursive: true });
    }
    console.log(JSON.stringify({ folder, ...results }));
  `);
  t.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

const skip = noOrdinaryUser();
const REFUSED = {
  code: 'EAGAIN',
  errno: -11,
  cause: 'ECANCELED',
  message: /RLIMIT_NPROC.*pids\.max.*ulimit -u/,
};

t.test('files: an error that names the limit, with what the call is about', { skip }, async t => {
  const { folder, ...results } = await whenUsedUp(
    t,
    // Not through the ring: a thread that was started for it stays for a while.
    `loop({ inline: false });
    const there = openSync(folder + '/there', 'w');
    useUp();
    results.mkdir = await outcome(() => fs.mkdir(folder + '/made'));
    results.open = await outcome(() => fs.open(folder + '/opened', 'w'));
    results.writeFile = await outcome(() => fs.writeFile(folder + '/written', 'text'));
    results.sync = await outcome(() => loop().submit(sqe => sqe.fsync(there)));
    results.text = await outcome(() => fs.readdir(folder));`,
  );
  t.match(results.mkdir, { ...REFUSED, syscall: 'mkdir', path: `${folder}/made` });
  t.match(results.open, { ...REFUSED, syscall: 'open', path: `${folder}/opened` });
  t.match(results.writeFile, { ...REFUSED, syscall: 'open', path: `${folder}/written` });
  t.match(results.sync, { ...REFUSED, syscall: 'fsync' });
  t.same(results.text, ['there']);
});

t.test('what needs no thread is done', { skip }, async t => {
  const results = await whenUsedUp(
    t,
    `useUp();
    await fs.mkdir(folder + '/made');
    await fs.writeFile(folder + '/written', 'text');
    results.names = (await fs.readdir(folder)).sort();`,
  );
  t.same(results.names, ['made', 'written']);
});

t.test('a loop that has a thread goes on with it', { skip }, async t => {
  const results = await whenUsedUp(
    t,
    `loop({ inline: false });
    await fs.mkdir(folder + '/before');
    useUp();
    await fs.mkdir(folder + '/after');
    await fs.writeFile(folder + '/written', 'text');
    results.names = (await fs.readdir(folder)).sort();`,
  );
  t.same(results.names, ['after', 'before', 'written']);
});

t.test('sockets need none, and one that lingers is closed all the same', { skip }, async t => {
  const results = await whenUsedUp(
    t,
    `const server = await listen({ port: 0, host: '127.0.0.1' });
    useUp();
    const client = net.connect(server.address.port, '127.0.0.1');
    let text = '';
    client.on('data', chunk => (text += chunk));
    const ended = new Promise(resolve => client.on('end', resolve));
    const conn = await server.accept();
    const { fd } = conn;
    conn.setLinger(5);
    await conn.write('answer');
    results.close = await outcome(() => conn.close());
    results.open = existsSync('/proc/self/fd/' + fd);
    await ended;
    results.text = text;
    await server.close();`,
  );
  t.match(results, { open: false, text: 'answer' });
  t.equal(results.close, undefined);
});

t.test('a ring with a thread of its own cannot be made', { skip }, async t => {
  const results = await whenUsedUp(
    t,
    `useUp();
    results.ring = await outcome(() => new Ring(4, { flags: 2 }));`,
  );
  t.match(results.ring, {
    code: 'EAGAIN',
    syscall: 'io_uring_setup',
    message: /RLIMIT_NPROC.*pids\.max.*ulimit -u/,
  });
});

t.test('what the user cancels is cancelled', async t => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const waiting = loop().submit(sqe => sqe.pollAdd(fd, POLLIN));
  await loop().submit(sqe => sqe.cancelFd(fd));
  await t.rejects(waiting, { code: 'ECANCELED', cause: undefined });
  server.close();
});
