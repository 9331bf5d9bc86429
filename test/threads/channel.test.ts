/** Channels between threads: order, bounds, ends, and what happens when the other thread does not play along. */
import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { Channel, type ChannelEnd, channelPair, loop, sleep } from 'uasync';
import { checkLeaks, seededRandom, turns, until } from '../harness.js';
import { built, output } from '../programs.js';

checkLeaks();

function start(mode: string, ends: ChannelEnd[], count = 0): Worker {
  const [end, to] = ends;
  return new Worker(built('test/fixtures/channel-peer.js'), {
    workerData: { mode, end, to, count },
    transferList: ends.map(({ port }) => port),
  });
}

interface Peer {
  channel: Channel;
  worker: Worker;
  exit: Promise<number>;
}

/** A thread that behaves like this, and a channel to it. */
function peer(mode: string, options = {}, count = 0): Peer {
  const [mine, theirs] = channelPair(options);
  const worker = start(mode, [theirs], count);
  return { channel: new Channel(mine), worker, exit: once(worker, 'exit').then(([code]) => code as number) };
}

/** Closes our end: the peer's iteration ends, and so does its thread. */
async function leave(t: Test, { channel, exit }: Peer): Promise<void> {
  await channel.close();
  t.equal(await exit, 0, 'the peer ends by itself');
}

t.test('values of every kind come back as they were', async t => {
  const echo = peer('echo');
  const { channel } = echo;
  const arrays = [
    Uint8Array,
    Uint8ClampedArray,
    Int8Array,
    Uint16Array,
    Int16Array,
    Uint32Array,
    Int32Array,
    Float32Array,
    Float64Array,
  ].map(array => new array([1, 2, 250]));
  for (const value of [
    ...arrays,
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 63n]),
    new DataView(new Uint8Array([1, 2, 3]).buffer),
    new Uint8Array(0),
    new Uint16Array([1, 2, 3, 4]).subarray(1, 3),
    'text, and an unpaired \ud800',
    { map: new Map([[1, new Set(['x'])]]), date: new Date(0), big: 1n, nothing: null },
    null,
    undefined,
    0,
    new Error('an error'),
  ]) {
    await channel.send(value);
    const back = await channel.recv();
    t.strictSame(back, value);
    if (ArrayBuffer.isView(value)) t.equal(back!.constructor, value.constructor);
  }
  await channel.send(Buffer.from('a Buffer'));
  const bytes = await channel.recv();
  t.equal(bytes!.constructor, Uint8Array, 'comes as a Uint8Array, as by postMessage');
  t.equal(String(Buffer.from(bytes as Uint8Array)), 'a Buffer');
  await t.rejects(
    channel.send(() => {}),
    { name: 'DataCloneError' },
  );
  await channel.send('still works');
  t.equal(await channel.recv(), 'still works');
  await leave(t, echo);
});

t.test('payloads of 10 MiB, copied and transferred', async t => {
  const echo = peer('echo');
  const { channel } = echo;
  const big = Buffer.alloc(10 << 20, 'abcdefghijk');
  for (let i = 0; i < 3; i++) {
    await channel.send(big);
    t.ok(big.equals((await channel.recv()) as Uint8Array));
  }
  const moved = new Float64Array(1 << 20).fill(1.5);
  await channel.send(moved, { transfer: [moved.buffer] });
  t.equal(moved.length, 0, 'transferred');
  const back = (await channel.recv()) as Float64Array;
  t.equal(back.length, 1 << 20);
  t.equal(back.at(-1), 1.5);

  const { port1, port2 } = new MessageChannel();
  // The echo sends it back without a transfer list, which is its end.
  echo.exit.catch(() => {});
  const failed = once(echo.worker, 'error');
  await channel.send({ port: port2 }, { transfer: [port2] });
  await t.rejects(channel.recv(), { code: 'ERR_CLOSED' });
  port1.close();
  // Node 22 has no words for it.
  t.ok((await failed)[0] instanceof Error, 'the peer ends by the error of its send');
});

t.test('a view sends its own bytes, copied, and no others of its buffer', async t => {
  const [a, b] = channelPair().map(end => new Channel<Uint16Array>(end)) as [
    Channel<Uint16Array>,
    Channel<Uint16Array>,
  ];
  // Small ones go by the queue, large ones by the port.
  for (const length of [0, 4, 100_000]) {
    for (const Buffer of [ArrayBuffer, SharedArrayBuffer]) {
      const all = new Uint16Array(new Buffer(4 * length + 8)).fill(0xdead);
      for (const view of [all.subarray(length / 2, length / 2 + length), all]) {
        view.fill(7);
        await a.send(view);
        const got = await b.recv();
        view.fill(8);
        t.equal(got.constructor, Uint16Array);
        t.equal(got.length, view.length);
        t.ok(got.every(value => value === 7));
        t.ok(got.buffer instanceof ArrayBuffer, `a view of a ${Buffer.name} becomes memory of its own`);
        t.equal(got.buffer.byteLength, view.byteLength);
      }
    }
  }
  const { Float16Array: Half } = globalThis as unknown as { Float16Array?: typeof Uint16Array };
  if (Half !== undefined) {
    for (const length of [4, 100_000]) {
      await a.send(new Half(new SharedArrayBuffer(4 * length), 4, length).fill(7));
      const got = await b.recv();
      t.same(
        [got.constructor, got.buffer.constructor, got.buffer.byteLength],
        [Half, ArrayBuffer, 2 * length],
      );
      t.equal(got.at(-1), 7);
    }
  }
  // Shared memory is shared if that is what is sent; what is moved goes as it is.
  const shared = new Int32Array(new SharedArrayBuffer(40_000));
  await (a as Channel).send(shared.buffer);
  const same = new Int32Array((await b.recv()) as unknown as SharedArrayBuffer);
  same[5] = 6;
  t.equal(shared[5], 6);
  const moved = new Uint16Array(50_000);
  await a.send(moved.subarray(10), { transfer: [moved.buffer] });
  t.same([moved.length, (await b.recv()).byteOffset], [0, 20]);
  await Promise.all([a.close(), b.close()]);
});

t.test('30,000 messages arrive in order, small and mixed', async t => {
  const counter = peer('count');
  const { channel } = counter;
  const word = new Int32Array(1);
  for (let i = 0; i < 30_000; i++) {
    word[0] = i;
    await channel.send(i % 10 === 0 ? i : word);
  }
  await channel.send('how many?');
  t.same(await channel.recv(), [30_000, -1, 0]);
  await leave(t, counter);
});

t.test('messages of random sizes keep their bytes, round the end of the queue too', async t => {
  const random = seededRandom(t);
  const echo = peer('echo', { capacity: 4096 });
  const { channel } = echo;
  const sent: Uint8Array[] = [];
  const sending = (async () => {
    for (let i = 0; i < 3000; i++) {
      // Up to 256 bytes go through the queue of this size, larger ones by the port.
      const bytes = new Uint8Array(random() * (i % 50 === 0 ? 9000 : 300)).fill(i);
      sent.push(bytes);
      await channel.send(bytes);
    }
  })();
  let wrong = 0;
  for (let i = 0; i < 3000; i++) {
    const bytes = (await channel.recv()) as Uint8Array;
    if (!Buffer.from(bytes).equals(sent[i]!)) wrong++;
  }
  await sending;
  t.equal(wrong, 0);
  await leave(t, echo);
});

t.test('a slow consumer holds the sender back', async t => {
  const deaf = peer('deaf', { capacity: 65536 });
  const { channel } = deaf;
  await channel.recv();
  let sent = 0;
  const stop = new AbortController();
  const sending = (async () => {
    for (;;) {
      await channel.send(new Uint8Array(1000), { signal: stop.signal });
      sent++;
    }
  })();
  const fits = Math.floor(65536 / 1008);
  await until(() => sent >= fits);
  await turns(20);
  t.equal(sent, fits, 'what fits');
  stop.abort();
  await t.rejects(sending, { code: 'ABORT_ERR' });
  await t.rejects(channel.send(new Uint8Array(1000), { timeout: 10 }), { code: 'ETIMEDOUT' });
  const waiting = t.rejects(channel.send({ more: 1 }), { code: 'ERR_CLOSED' }, 'nobody will make room');
  await deaf.worker.terminate();
  await waiting;
  await t.rejects(channel.send(1), { code: 'ERR_CLOSED' });
  t.equal(channel.closed, true);
});

t.test('values that go by the port are bounded too', async t => {
  const [mine, theirs] = channelPair({ capacity: 4096 });
  const [a, b] = [new Channel(mine), new Channel(theirs)];
  let sent = 0;
  for (;;) {
    const full = await a.send({ sent }, { timeout: 20 }).catch(error => error.code);
    if (full === 'ETIMEDOUT') break;
    sent++;
  }
  t.ok(sent > 100 && sent <= 1024, `${sent} values fit`);
  for (let i = 0; i < sent; i++) t.strictSame(await b.recv(), { sent: i });
  await a.send('room again');
  t.equal(await b.recv(), 'room again');
  await a.close();
  await b.close();
});

t.test('both ends in one thread', async t => {
  const [one, other] = channelPair();
  const [a, b] = [new Channel<string>(one), new Channel<string>(other)];
  const waiting = [b.recv(), b.recv()];
  await a.send('first');
  await a.send('second');
  t.same(await Promise.all(waiting), ['first', 'second']);
  await b.send('back');
  await b.close();
  t.equal(await a.recv(), 'back', 'what was sent before the end arrives');
  await t.rejects(a.recv(), { code: 'ERR_CLOSED' });
  await t.rejects(a.send('x'), { code: 'ERR_CLOSED' });
  await t.rejects(b.recv(), { code: 'ERR_CLOSED' });
  await a.close();
  await a.close();
});

t.test('two workers talk to each other', async t => {
  const [in1, in2] = channelPair();
  const [mid1, mid2] = channelPair();
  const [out1, out2] = channelPair();
  const relays = [start('relay', [in2, mid1]), start('relay', [mid2, out1])];
  const exits = relays.map(worker => once(worker, 'exit'));
  const [input, result] = [new Channel(in1), new Channel(out2)];
  const sending = (async () => {
    for (let i = 0; i < 2000; i++) await input.send(i % 3 === 0 ? { i } : new Int32Array([i]));
    await input.close();
  })();
  let count = 0;
  let wrong = 0;
  for await (const value of result) {
    const got = value instanceof Int32Array ? value[0] : (value as { i: number }).i;
    if (got !== count++) wrong++;
  }
  await sending;
  t.same([count, wrong], [2000, 0]);
  for (const [code] of await Promise.all(exits)) t.equal(code, 0);
});

for (const mode of ['close', 'exit'] as const) {
  t.test(`the other end's ${mode} ends the iteration after what was sent`, async t => {
    const { channel, exit } = peer(mode, {}, 501);
    let count = 0;
    for await (const value of channel) {
      const got = value instanceof Int32Array ? value[0] : value;
      if (got !== count++) t.fail(`${got} for ${count}`);
    }
    t.equal(count, 501);
    t.equal(await exit, mode === 'exit' ? 7 : 0);
    await t.rejects(channel.recv(), { code: 'ERR_CLOSED' });
    await t.rejects(channel.send(1), { code: 'ERR_CLOSED' });
    await channel.close();
  });
}

for (const mode of ['close', 'exit'] as const) {
  for (const count of [0, 4]) {
    t.test(`opened after the other end's ${mode}, having sent ${count}`, async t => {
      const [mine, theirs] = channelPair();
      await once(start(mode, [theirs], count), 'exit');
      // The port's end is told of by then.
      await sleep(20);
      const channel = new Channel(mine);
      const got: unknown[] = [];
      for (let i = 0; i < count; i++) got.push(await channel.recv());
      t.same(got, [0, new Int32Array([1]), 2, new Int32Array([3])].slice(0, count));
      await t.rejects(channel.recv(), { code: 'ERR_CLOSED' });
      t.equal(channel.closed, true);
      await t.rejects(channel.send('x'), { code: 'ERR_CLOSED' });
      await t.rejects(channel.send(new Uint8Array(1)), { code: 'ERR_CLOSED' });
      for await (const _ of channel) t.fail('there is no more');
      await channel.close();
    });
  }
}

t.test('leaving an iteration closes the channel, and the flooding peer hears of it', async t => {
  const { channel, worker, exit } = peer('flood');
  const failed = once(worker, 'error');
  exit.catch(() => {});
  let count = 0;
  for await (const _ of channel) if (++count === 10_000) break;
  t.equal(channel.closed, true);
  const [error] = await failed;
  t.match(error, { code: 'ERR_CLOSED' });
});

t.test('workers that are terminated while messages fly', async t => {
  const random = seededRandom(t);
  const oneWorker = async (): Promise<void> => {
    const { channel, worker } = peer(random() < 0.5 ? 'flood' : 'echo');
    let last = -1;
    // While it still loads modules, Node itself would lose the descriptors of their files.
    let loaded = (): void => {};
    const started = new Promise<void>(resolve => {
      loaded = resolve;
    });
    const receiving = (async () => {
      for await (const value of channel) {
        const i = value instanceof Int32Array ? value[0]! : (value as { i: number }).i;
        if (i !== last + 1) t.fail(`${i} after ${last}`);
        last = i;
        loaded();
      }
    })();
    const sending = (async () => {
      for (let i = 0; ; i++) await channel.send(i % 5 === 0 ? { i } : new Int32Array([i]));
    })();
    const failing = t.rejects(sending, { code: 'ERR_CLOSED' });
    await started;
    await new Promise(resolve => setTimeout(resolve, random() * 30));
    await worker.terminate();
    await Promise.all([receiving, failing]);
  };
  const end = performance.now() + 5000;
  for (let round = 0; round < 2 && performance.now() < end; round++) {
    await Promise.all(Array.from({ length: 6 }, oneWorker));
  }
});

t.test('a call that waits can be given up, and then keeps nothing alive', async t => {
  const [one, other] = channelPair();
  const [a, b] = [new Channel(one), new Channel(other)];
  const stop = new AbortController();
  const waiting = a.recv({ signal: stop.signal });
  t.equal(loop().stats().referenced, 1);
  a.unref();
  t.equal(loop().stats().referenced, 0);
  a.ref();
  t.equal(loop().stats().referenced, 1);
  stop.abort();
  await t.rejects(waiting, { code: 'ABORT_ERR' });
  t.equal(loop().stats().inFlight, 0);
  await t.rejects(a.recv({ timeout: 1 }), { code: 'ETIMEDOUT' });
  await t.rejects(a.recv({ signal: AbortSignal.abort() }), { code: 'ABORT_ERR' });
  await b.send('not lost');
  t.equal(await a.recv(), 'not lost');
  const pending = t.rejects(a.recv(), { code: 'ERR_CLOSED' });
  await a.close();
  await pending;
  await b.close();
});

t.test('the value of one call may use the channel while it is cloned', async t => {
  const [a, b] = channelPair({ capacity: 4096 }).map(end => new Channel(end)) as [Channel, Channel];
  const inner: Promise<void>[] = [];
  const outer = a.send({
    get name() {
      for (let i = 0; i < 150; i++) inner.push(a.send(new Uint8Array(24).fill(i)));
      return 'outer';
    },
  });
  t.strictSame(await b.recv(), { name: 'outer' });
  for (let i = 0; i < 150; i++) t.strictSame(await b.recv(), new Uint8Array(24).fill(i));
  await Promise.all([outer, ...inner]);
  // A waiting call that is given up by its own value, one that fails, and one that closes.
  for (let i = 0; i < 256; i++) await a.send(i);
  const stop = new AbortController();
  const sends = [
    a.send(
      {
        get name() {
          stop.abort();
          return 'given up too late';
        },
      },
      { signal: stop.signal },
    ),
    a.send('next'),
    a.send({
      get name() {
        throw new Error('no name');
      },
    }),
    a.send('last'),
  ];
  const settled = Promise.allSettled(sends);
  for (let i = 0; i < 256; i++) t.equal(await b.recv(), i);
  t.strictSame(await b.recv(), { name: 'given up too late' });
  t.equal(await b.recv(), 'next');
  t.equal(await b.recv(), 'last');
  t.strictSame(
    (await settled).map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  const closing = a.send({
    get name() {
      void a.close();
      return 'none';
    },
  });
  await t.rejects(closing, { code: 'ERR_CLOSED' });
  await t.rejects(b.recv(), { code: 'ERR_CLOSED' });
  await b.close();
});

const CHANNELS = built('test/fixtures/channels.js');

t.test('an open channel alone does not keep a process alive; a receiver does', async t => {
  t.equal(await output(process.execPath, [CHANNELS, 'idle']), 'end\n');
  t.equal(await output(process.execPath, [CHANNELS, 'waits']), 'late\n');
  t.equal(await output(process.execPath, [CHANNELS, 'referenced with a timeout']), 'ETIMEDOUT\n');
  t.equal(await output(process.execPath, [CHANNELS, 'unreferenced with a timeout']), 'end\n');
});

t.test('a loop that is closed ends its channels', async t => {
  const printed = await output(process.execPath, [CHANNELS, 'closed loop']);
  t.equal(printed, 'ERR_CLOSED The loop is closed\nERR_CLOSED\n');
  t.equal(await output(process.execPath, [CHANNELS, 'closed while idle']), 'true true\n');
});

t.test('channels of one thread are woken by themselves, whatever is random', async t => {
  const printed = await output(process.execPath, [CHANNELS, 'same random numbers']);
  t.equal(printed, 'Uint8Array(1) [ 1 ]\nUint8Array(1) [ 2 ]\n');
});

t.test('a busy channel leaves room for timers and sockets', async t => {
  const flood = peer('flood');
  const failed = once(flood.worker, 'error');
  flood.exit.catch(() => {});
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  for await (const _ of flood.channel) if (ticks >= 5) break;
  clearInterval(timer);
  t.pass('timers ran');
  t.match((await failed)[0], { code: 'ERR_CLOSED' });
});

t.test('room for one value is enough, however slow the receiver', async t => {
  const [one, other] = channelPair({ capacity: 4096 }).map(end => new Channel<Uint8Array>(end)) as [
    Channel<Uint8Array>,
    Channel<Uint8Array>,
  ];
  const value = new Uint8Array(56);
  for (let i = 0; i < 4096 / 64; i++) await one.send(value);
  for (let i = 0; i < 3; i++) {
    const sending = one.send(value, { timeout: 1e6 });
    await t.rejects(one.send(value, { timeout: 20 }), { code: 'ETIMEDOUT' });
    await other.recv();
    await sending;
  }
  // One that is longer than what was received waits for more.
  const long = one.send(new Uint8Array(60));
  await other.recv();
  await t.rejects(one.send(value, { timeout: 20 }), { code: 'ETIMEDOUT' });
  await other.recv();
  await long;
  await Promise.all([one.close(), other.close()]);
});

t.test(
  'a value that cannot be rebuilt here rejects its receive, and the others keep their places',
  async t => {
    const deep = peer('deep');
    const { channel } = deep;
    for (const wait of [0, 50]) {
      // The port has delivered what comes while nobody asks; otherwise it is fetched from there.
      await sleep(wait);
      const received: unknown[] = [];
      for (let i = 0; i < 3; i++) received.push(await channel.recv().catch(error => error.code));
      t.strictSame(received, ['before', 'ERR_MESSAGE', 'after']);
      await channel.send('again');
    }
    const iterator = channel[Symbol.asyncIterator]();
    t.strictSame(await iterator.next(), { value: 'before', done: false });
    await t.rejects(iterator.next(), { code: 'ERR_MESSAGE', cause: { name: 'RangeError' } });
    t.strictSame(await iterator.next(), { value: 'after', done: false });
    await leave(t, deep);
  },
);

t.test('wrong arguments', async t => {
  t.throws(() => channelPair({ capacity: 5000 }), { code: 'ERR_INVALID_ARG_VALUE' });
  t.throws(() => channelPair({ capacity: 1024 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => channelPair(null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => new Channel({} as never), { code: 'ERR_INVALID_ARG_TYPE' });
  const [end] = channelPair();
  const channel = new Channel(end);
  t.throws(() => new Channel(end), { code: 'ERR_INVALID_STATE' });
  await t.rejects(channel.send(1, { transfer: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  await t.rejects(channel.recv({ timeout: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  await channel.close();
});

t.test('an end that is closed here gives nothing more, whatever had come', async t => {
  for (const value of [{ by: 'port' }, Buffer.from('by memory'), null]) {
    const [a, b] = channelPair().map(end => new Channel(end)) as [Channel, Channel];
    if (value !== null) for (let i = 0; i < 3; i++) await b.send(value);
    const iterator = a[Symbol.asyncIterator]();
    if (value !== null) await iterator.next();
    await iterator.return!();
    t.strictSame(await iterator.next(), { value: undefined, done: true });
    await t.rejects(a.recv(), { code: 'ERR_CLOSED' });
    await t.rejects(a.send('x'), { code: 'ERR_CLOSED' });
    await b.close();
  }
});
