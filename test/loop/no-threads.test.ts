/** What operations answer that wait for a worker thread of the kernel, where the user may have no more threads. */
import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { loop } from 'uasync';
import { POLLIN } from '../../src/sys/abi/flags.js';
import { noOrdinaryUser, runAsUser } from '../ordinary-user.js';
import { built } from '../programs.js';
import '../patience.js';

/** What one of the programs of no-threads.ts prints as JSON. */
async function whenUsedUp(t: Test, kind: string): Promise<Record<string, unknown>> {
  const { stdout, stderr, code } = await runAsUser(built('test/fixtures/no-threads.js'), kind);
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
  const { folder, ...results } = await whenUsedUp(t, 'files');
  t.match(results.mkdir, { ...REFUSED, syscall: 'mkdir', path: `${folder}/made` });
  t.match(results.open, { ...REFUSED, syscall: 'open', path: `${folder}/opened` });
  t.match(results.writeFile, { ...REFUSED, syscall: 'open', path: `${folder}/written` });
  t.match(results.sync, { ...REFUSED, syscall: 'fsync' });
  t.same(results.text, ['there']);
});

t.test('what needs no thread is done', { skip }, async t => {
  const results = await whenUsedUp(t, 'inline');
  t.same(results.names, ['made', 'written']);
});

t.test('a loop that has a thread goes on with it', { skip }, async t => {
  const results = await whenUsedUp(t, 'one thread');
  t.same(results.names, ['after', 'before', 'written']);
});

t.test('sockets need none, and one that lingers is closed all the same', { skip }, async t => {
  const results = await whenUsedUp(t, 'sockets');
  t.match(results, { open: false, text: 'answer' });
  t.equal(results.close, undefined);
});

t.test('a ring with a thread of its own cannot be made', { skip }, async t => {
  const results = await whenUsedUp(t, 'ring');
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
