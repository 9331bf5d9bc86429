/** `npm start` where io_uring is denied. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';
import t from 'tap';
import { built } from '../programs.js';

for (const [errno, name] of [
  ['1', 'EPERM'],
  ['38', 'ENOSYS'],
]) {
  t.test(`a seccomp filter that answers ${name}`, async t => {
    const args = [built('test/fixtures/deny-io-uring.js'), errno!, built('benchmark/start.js')];
    const child = spawn(process.execPath, [...args, '--serve', '--port', '0'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    t.equal((await lines.next()).value, 'uasync runs on epoll');
    t.match((await lines.next()).value, `io_uring cannot be used (${name}): a seccomp filter is active`);
    const [, port] = /^listening on 127\.0\.0\.1:(\d+)$/.exec((await lines.next()).value!)!;
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.write('there and back');
    t.equal(String((await once(socket, 'data'))[0]), 'there and back');
    socket.destroy();
    child.kill();
    await once(child, 'exit');
  });
}
