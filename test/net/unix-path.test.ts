/** The files of Unix sockets: who may take a path, and paths of any length. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import { loop } from 'uasync';
import { bind, connect, listen } from 'uasync/net';
import { libc } from '../../src/sys/libc/libc.js';
import { AF_UNIX } from '../../src/sys/socket/sockaddr.js';
import { checkLeaks, scratchFolder, turns } from '../harness.js';
import { built } from '../programs.js';

checkLeaks();

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;

/** A socket file whose socket is gone. */
async function leaveBehind(path: string, type: number): Promise<void> {
  const fd = libc().socket(AF_UNIX, type, 0);
  await loop().submit(sqe => sqe.bind(fd, { path }));
  libc().close(fd);
}

/** A process that starts servers when it is told to. */
class Claimant {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor(kind: string) {
    this.#child = spawn(process.execPath, [built('test/fixtures/claims-path.js'), kind], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface(this.#child.stdout!)[Symbol.asyncIterator]();
  }

  async answer(): Promise<string> {
    return (await this.#lines.next()).value;
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin!.write(`${line}\n`);
    return this.answer();
  }

  async end(): Promise<void> {
    const exit = new Promise(resolve => this.#child.once('exit', resolve));
    this.#child.stdin!.end();
    await exit;
  }
}

for (const [kind, type] of [
  ['stream', SOCK_STREAM],
  ['dgram', SOCK_DGRAM],
] as const) {
  t.test(`of several ${kind} servers that start on one path in the same moment one has it`, async t => {
    const folder = scratchFolder();
    const path = join(folder, 'socket');
    const all = Array.from({ length: 4 }, () => new Claimant(kind));
    for (const each of all) t.equal(await each.answer(), 'ready');
    let wrong = 0;
    for (let round = 0; round < 15; round++) {
      // With a file of a dead server and without, which are different races.
      const stale = round % 3 !== 2;
      if (stale) await leaveBehind(path, type);
      const some = all.slice(0, 2 + (round % 3));
      const answers = await Promise.all(some.map(each => each.ask(`${path} ${Date.now() + 5}`)));
      const expected = ['EADDRINUSE', 'EADDRINUSE', 'EADDRINUSE', 'bound'].slice(-some.length);
      if (answers.sort().join() !== expected.join()) wrong++;
      else if (kind === 'stream') await (await connect({ path })).close();
      await Promise.all(some.map(each => each.ask('close')));
    }
    t.equal(wrong, 0, 'rounds in which not exactly one had it');
    t.same(readdirSync(folder), [], 'nothing is left behind');
    await Promise.all(all.map(each => each.end()));
  });
}

t.test('a file is replaced under the lock of its directory', async t => {
  const folder = scratchFolder();
  const path = join(folder, 'socket');
  await leaveBehind(path, SOCK_STREAM);
  const holder = spawn('flock', [folder, 'sh', '-c', 'echo held; read line'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  await t.rejects(listen({ path }), { code: 'EADDRINUSE' }, 'while another process is about to replace it');
  // Where there is nothing to replace nobody waits.
  await (await listen({ path: join(folder, 'new') })).close();
  holder.stdin.end('\n');
  await once(holder, 'close');
  await (await listen({ path })).close();
  t.notOk(existsSync(path));
});

t.test('a server that lives keeps its path, whoever asks', async t => {
  const path = join(scratchFolder(), 'socket');
  const ours = await listen({ path });
  await t.rejects(listen({ path }), { code: 'EADDRINUSE', syscall: 'listen', path });
  await t.rejects(bind({ path }), { code: 'EADDRINUSE', syscall: 'bind', path }, 'of another type, too');
  const [client, conn] = await Promise.all([connect({ path }), ours.accept()]);
  await client.write('hello');
  t.equal(String(await conn.read()), 'hello', 'it saw nothing of those who asked');
  await Promise.all([client.close(), conn.close(), ours.close()]);
  t.notOk(existsSync(path));

  // Bound, and about to listen
  const fd = libc().socket(AF_UNIX, SOCK_STREAM, 0);
  await loop().submit(sqe => sqe.bind(fd, { path }));
  await t.rejects(listen({ path }), { code: 'EADDRINUSE' });
  await loop().submit(sqe => sqe.close(fd));
  unlinkSync(path);

  const node = net.createServer().listen(path);
  await new Promise(resolve => node.once('listening', resolve));
  await t.rejects(listen({ path }), { code: 'EADDRINUSE' });
  await new Promise(resolve => node.close(resolve));

  const datagrams = await bind({ path });
  await t.rejects(bind({ path }), { code: 'EADDRINUSE' });
  await datagrams.close();
  t.notOk(existsSync(path));
});

t.test('a connect to a server whose backlog is full can be given up at any time', async t => {
  const path = join(scratchFolder(), 'socket');
  const fd = libc().socket(AF_UNIX, SOCK_STREAM, 0);
  await loop().submit(sqe => sqe.bind(fd, { path }));
  libc().listen(fd, 0); // No connection is accepted.
  const only = await connect({ path });
  // The kernel first tries again many times, and then waits in a worker thread.
  for (const after of [0, 1, 2, 3, 10, 50, 200]) {
    const controller = new AbortController();
    const connecting = connect({ path, signal: controller.signal });
    await turns(after);
    controller.abort();
    await t.rejects(connecting, { name: 'AbortError' }, `after ${after} turns`);
  }
  await t.rejects(connect({ path, timeout: 0 }), { code: 'ETIMEDOUT', syscall: 'connect', path });
  await only.close();
  libc().close(fd);
  unlinkSync(path);
});

t.test('a close removes no file that is another’s by now', async t => {
  const path = join(scratchFolder(), 'socket');
  const first = await listen({ path });
  const other = join(path, '..', 'other');
  renameSync(path, other);
  const second = await listen({ path });
  await first.close();
  const [client, conn] = await Promise.all([connect({ path }), second.accept()]);
  t.ok(existsSync(path));
  await Promise.all([client.close(), conn.close(), second.close()]);
  t.notOk(existsSync(path));
  unlinkSync(other);
});

t.test('paths of more than 107 bytes', async t => {
  const folder = join(scratchFolder(), 'ä'.repeat(100), 'b'.repeat(200));
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'socket');
  t.ok(Buffer.byteLength(path) > 400);

  for (let round = 0; round < 2; round++) {
    const server = await listen({ path });
    t.same(server.address, { path });
    await t.rejects(listen({ path }), { code: 'EADDRINUSE', path });
    const [client, conn] = await Promise.all([connect({ path }), server.accept()]);
    t.equal(client.remoteAddress?.path, path);
    t.same(conn.localAddress, { path });
    await client.write('hello');
    t.equal(String(await conn.read()), 'hello');
    await Promise.all([client.close(), conn.close(), server.close()]);
    t.same(readdirSync(folder), [], 'the file goes with it');
  }
  await t.rejects(connect({ path }), { code: 'ENOENT', syscall: 'connect', path });
  await t.rejects(connect({ path: join(folder, 'none', 'x') }), { code: 'ENOENT', syscall: 'connect' });
  await t.rejects(listen({ path: join(folder, 'none', 'x') }), { code: 'ENOENT', syscall: 'listen' });

  const socket = await bind({ path });
  t.same(socket.address, { path });
  await t.rejects(bind({ path }), { code: 'EADDRINUSE', path });
  const other = await bind({ family: 'Unix', bound: false });
  await other.connect(path);
  t.same(other.remoteAddress, { path });
  await other.send('hello');
  t.equal(String((await socket.recv()).data), 'hello');
  await Promise.all([socket.close(), other.close()]);
  t.same(readdirSync(folder), []);

  // One that was left behind, by its short name.
  const cwd = process.cwd();
  process.chdir(folder);
  await leaveBehind('socket', SOCK_STREAM);
  const again = await listen({ path });
  await again.close();
  const relative = await listen({ path: 'socket' });
  process.chdir(cwd);
  await relative.close();
  t.same(readdirSync(folder), [], 'also when the folder has changed meanwhile');

  const value = { code: 'ERR_INVALID_ARG_VALUE' };
  await t.rejects(listen({ path: join(folder, 'n'.repeat(86)) }), value);
  await t.rejects(connect({ path: join(folder, 'n'.repeat(86)) }), value);
  await t.rejects(bind({ path: join(folder, 'n'.repeat(86)) }), value);
  await t.rejects(listen({ path: `${folder}\0x` }), value);
  await t.rejects(connect({ path: `\0${'x'.repeat(108)}` }), value);
});
