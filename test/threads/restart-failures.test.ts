/** Restarts of threads that fail, meet crashes and stops, or change where the module listens. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import type { InetAddress } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { askOnce, Module } from '../restarted-module.js';
import { open, portOf } from '../thread-server.js';

checkLeaks();

/** For restarts that must not end because the machine is slow. */
const patient = { timeout: 120_000 };

t.test('a new thread that does not start: the old one goes on', async t => {
  const module = new Module('good');
  const starts: number[] = [];
  const crashes: string[] = [];
  await using server = await module.serve(2, {
    onStart: ({ id }) => starts.push(id),
    onCrash: ({ error }) => crashes.push(error.message),
  });
  const port = portOf(server);
  module.write('bad', "throw Object.assign(new Error('no start'), { code: 'E_NO_START' });");
  await t.rejects(server.restart(patient), { code: 'E_NO_START', message: 'no start' });
  writeFileSync(module.path, 'nonsense(');
  await t.rejects(server.restart(patient), { name: 'SyntaxError' });
  module.write('never', 'await new Promise(() => setInterval(() => {}, 1000));');
  await t.rejects(server.restart({ timeout: 300 }), { code: 'ETIMEDOUT', syscall: 'serve' });
  const now = new AbortController();
  const given = server.restart({ ...patient, signal: now.signal });
  setImmediate(() => now.abort());
  await t.rejects(given, { code: 'ABORT_ERR' });
  // One that waits for another is given up at once.
  const [one, two] = [new AbortController(), new AbortController()];
  const first = server.restart({ timeout: 20_000, signal: one.signal }).catch(({ code }) => `first ${code}`);
  const second = server.restart({ signal: two.signal }).catch(({ code }) => `second ${code}`);
  two.abort();
  t.equal(await Promise.race([first, second]), 'second ABORT_ERR');
  one.abort();
  t.equal(await first, 'first ABORT_ERR');
  for (let i = 0; i < 4; i++) t.equal(await askOnce(port, 'version'), 'good');
  t.same(
    (await server.stats()).map(({ restarts }) => restarts),
    [0, 0],
  );
  module.write('better');
  t.equal(await server.restart(patient), 0);
  for (let i = 0; i < 4; i++) t.equal(await askOnce(port, 'version'), 'better');
  t.same(crashes, [], 'those that did not start are told by the rejection');
  t.same(starts.slice(-2), [0, 1]);
});

t.test('one that crashes meanwhile, and one that waits to be started again, are replaced too', async t => {
  const module = new Module('old');
  let crashed = (): void => {};
  const delays: number[] = [];
  await using server = await module.serve(1, {
    restartDelay: 60_000,
    onCrash: ({ delay }) => {
      delays.push(delay);
      crashed();
    },
  });
  const port = portOf(server);
  // The new one waits for the end of the old one.
  const shared = new SharedArrayBuffer(4);
  const ended = `${module.path}.ended`;
  module.write(
    'new',
    `const { existsSync } = await import('node:fs');
    while (!existsSync('${ended}')) await new Promise(resolve => setTimeout(resolve, 5));`,
  );
  const crash = new Promise<void>(resolve => {
    crashed = resolve;
  });
  const restarted = server.restart(patient);
  await server.channel(0)!.send(shared);
  await crash;
  writeFileSync(ended, '');
  t.equal(await restarted, 0);
  t.equal(await askOnce(port, 'version'), 'new');

  const again = new Promise<void>(resolve => {
    crashed = resolve;
  });
  await server.channel(0)!.send(shared);
  await again;
  t.equal(server.channel(0), null);
  module.write('newer');
  t.equal(await server.restart(patient), 0);
  t.equal(await askOnce(port, 'version'), 'newer');
  t.same(delays, [0, 30_000], 'the first was replaced at once');
});

t.test('a restart during a restart comes after it; a stop ends it', async t => {
  const module = new Module('first');
  const server = await module.serve(2);
  const port = portOf(server);
  module.write('second');
  const both = [server.restart(patient), server.restart(patient)];
  t.same(await Promise.all(both), [0, 0]);
  t.same(
    (await server.stats()).map(({ restarts }) => restarts),
    [2, 2],
  );
  t.equal(await askOnce(port, 'version'), 'second');
  const starting = new Promise<void>(resolve => setImmediate(resolve));
  const restarted = server.restart(patient);
  restarted.catch(() => {});
  await starting;
  await server.stop();
  await t.rejects(restarted, { code: 'ERR_CLOSED' });
  await t.rejects(server.restart(patient), { code: 'ERR_CLOSED' });
  await t.rejects(open(port), { code: 'ECONNREFUSED' });
});

t.test('a module that listens elsewhere after the restart', async t => {
  const module = new Module('one');
  await using server = await module.serve(2);
  const old = portOf(server);
  // Another call of its own, so another port: the first stays the same.
  module.write('two', "await listen({ port: 0, host: '127.0.0.1', ipv6Only: false });");
  await server.restart(patient);
  t.equal(server.addresses.length, 2);
  const ports = (server.addresses as InetAddress[]).map(({ port }) => port);
  t.ok(ports.includes(old));
  const other = ports.find(port => port !== old)!;
  t.equal(await askOnce(old, 'version'), 'two');
  module.write('three');
  await server.restart(patient);
  t.same(
    (server.addresses as InetAddress[]).map(({ port }) => port),
    [old],
  );
  await t.rejects(open(other), { code: 'ECONNREFUSED' });
  t.equal(await askOnce(old, 'version'), 'three');
});

t.test('wrong options', async t => {
  await using server = await new Module('v').serve(1);
  await t.rejects(server.restart(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(server.restart({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await t.rejects(server.restart({ signal: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(server.restart({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
});
