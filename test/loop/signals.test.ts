/** Signals as an async iterator. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { signals } from 'uasync';
import { turns } from '../harness.js';
import { built, output } from '../programs.js';

function kill(name: NodeJS.Signals): void {
  process.kill(process.pid, name);
}

function listeners(): number[] {
  return (['SIGUSR2', 'SIGHUP', 'SIGWINCH'] as const).map(name => process.listenerCount(name));
}

// The test runner listens to some of them too.
let before = listeners();

t.beforeEach(() => {
  before = listeners();
});

t.afterEach(() => assert.deepEqual(listeners(), before, 'a listener was left'));

t.test('they come in order, by name', async t => {
  const iterator = signals('SIGUSR2', 'SIGHUP').ref();
  kill('SIGHUP');
  t.same(await iterator.next(), { value: 'SIGHUP', done: false });
  const waiting = [iterator.next(), iterator.next()];
  kill('SIGUSR2');
  t.same(await waiting[0], { value: 'SIGUSR2', done: false });
  kill('SIGHUP');
  t.same(await waiting[1], { value: 'SIGHUP', done: false });
  await iterator.return();
  t.same(await iterator.next(), { value: undefined, done: true });
});

t.test('leaving an iteration takes the listeners away', async t => {
  setImmediate(() => kill('SIGUSR2'));
  for await (const name of signals('SIGUSR2').ref()) {
    t.equal(name, 'SIGUSR2');
    t.equal(listeners()[0], before[0]! + 1);
    break;
  }
  t.same(listeners(), before);
});

t.test('those that nobody asked for count once each', async t => {
  const iterator = signals('SIGUSR2', 'SIGWINCH').ref();
  for (let i = 0; i < 50; i++) {
    kill('SIGUSR2');
    kill('SIGWINCH');
    await turns(1);
  }
  await new Promise(resolve => setTimeout(resolve, 20));
  t.same([(await iterator.next()).value, (await iterator.next()).value].sort(), ['SIGUSR2', 'SIGWINCH']);
  const next = iterator.next();
  await iterator.return();
  t.same(await next, { value: undefined, done: true }, 'one that waits is told of the end');
});

t.test('an abort ends it', async t => {
  const stop = new AbortController();
  const iterator = signals('SIGUSR2', { signal: stop.signal });
  const next = t.rejects(iterator.next(), { name: 'AbortError', code: 'ABORT_ERR' });
  stop.abort();
  await next;
  t.same(await iterator.next(), { value: undefined, done: true });
  t.throws(() => signals('SIGUSR2', { signal: stop.signal }), { code: 'ABORT_ERR' });

  const again = new AbortController();
  const idle = signals('SIGUSR2', { signal: again.signal });
  again.abort();
  await t.rejects(idle.next(), { code: 'ABORT_ERR' }, 'whoever asks first is told');
  t.same(await idle.next(), { value: undefined, done: true });
});

t.test('it keeps the process alive only when asked to', async t => {
  const program = built('test/fixtures/waits-for-signal.js');
  t.equal(await output(process.execPath, [program]), 'ready\n');
  const child = spawn(process.execPath, [program, 'ref'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    printed += text;
    if (printed === 'ready\n') child.kill('SIGTERM');
  });
  const [code] = await once(child, 'close');
  t.equal(code, 0);
  t.equal(printed, 'ready\nSIGTERM\n');
});

t.test('wrong names, and other threads', async t => {
  t.throws(() => (signals as () => void)(), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => signals('SIGNOTHING' as never), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => signals('SIGKILL'), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => signals('SIGUSR2', 15 as never), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => signals('SIGUSR2', { signal: {} as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  const worker = new Worker(built('test/fixtures/signals-worker.js'));
  t.equal((await once(worker, 'message'))[0], 'ERR_UNSUPPORTED');
});

t.test('one AbortSignal may end many iterations, without a warning of a leak', async t => {
  const warned: Error[] = [];
  const warn = (warning: Error): unknown => warned.push(warning);
  process.on('warning', warn);
  const stop = new AbortController();
  const names = Object.keys(constants.signals).filter(name => !/^SIG(KILL|STOP)$/.test(name));
  const all = names.map(name => signals(name as NodeJS.Signals, { signal: stop.signal }));
  await turns();
  stop.abort();
  const ended = await Promise.allSettled(all.map(one => one.next()));
  t.ok(ended.every(one => one.status === 'rejected' && one.reason.code === 'ABORT_ERR'));
  process.off('warning', warn);
  t.strictSame(warned, []);
});
