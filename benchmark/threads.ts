/**
 * `npm run bench:threads`: an echo server on one thread and on two, and what a message between threads
 * costs by a Channel and by a MessagePort, in turns. On a machine with two cores the load takes its share
 * of them, so that two threads cannot serve twice as much: the CPU time of an operation says more there.
 */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import Table from 'cli-table3';
import { Channel, channelPair } from 'uasync';
import { load } from './load.js';
import { cpuMicroseconds, startServer } from './processes.js';

const ROUNDS = 3;

function script(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

function table(head: string[]): Table.Table {
  const colAligns = head.map((_, i) => (i === 0 ? 'left' : 'right') as 'left' | 'right');
  return new Table({ head, colAligns, style: { head: [], border: [] } });
}

/** What was done, in how many seconds and with how many microseconds of CPU time. */
interface Sum {
  ops: number;
  seconds: number;
  cpu: number;
}

function noSum(): Sum {
  return { ops: 0, seconds: 0, cpu: 0 };
}

function row(what: string, { ops, seconds, cpu }: Sum): string[] {
  return [what, Math.round(ops / seconds).toLocaleString('en'), (cpu / ops).toFixed(2)];
}

async function echo(): Promise<void> {
  const sums = [noSum(), noSum()];
  const servers = [];
  for (const threads of [1, 2]) {
    const command = [process.execPath, script('examples/threads-echo.js'), '0', `${threads}`];
    servers.push(await startServer(command, null));
  }
  // The first round warms up and is not counted.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, { pid, port }] of servers.entries()) {
      const before = cpuMicroseconds(pid);
      const { ops, seconds } = await load(port, { conns: 50, size: 64, depth: 1 }, 0.6, null);
      if (round === 0) continue;
      sums[i]!.cpu += cpuMicroseconds(pid) - before;
      sums[i]!.ops += ops;
      sums[i]!.seconds += seconds;
    }
  }
  await Promise.all(servers.map(server => server.stop()));
  const results = table(['TCP echo, 50 x 64 B', 'round trips/s', 'CPU us each']);
  for (const [i, sum] of sums.entries()) results.push(row(`${i + 1} thread${i === 0 ? '' : 's'}`, sum));
  console.log(`${availableParallelism()} cores, which the load shares\n${results}`);
}

type Way = 'Channel' | 'MessagePort';

/** Sends `count` values one way, or one by one there and back; the CPU time is both threads'. */
type Talk = (value: unknown, count: number, answers: boolean) => Promise<void>;

async function overChannel(channel: Channel): Promise<Talk> {
  await channel.recv();
  return async (value, count, answers) => {
    for (let i = 0; i < count; i++) {
      await channel.send(value);
      if (answers) await channel.recv();
    }
    if (answers) return;
    await channel.send('all?');
    while ((await channel.recv()) !== 'all?');
  };
}

async function overPort(port: MessagePort): Promise<Talk> {
  await once(port, 'message');
  return async (value, count, answers) => {
    for (let i = 0; i < count; i++) {
      port.postMessage(value);
      if (answers) await once(port, 'message');
      // A port has no bound of its own: let the others have a turn.
      else if (i % 512 === 511) await new Promise(resolve => setImmediate(resolve));
    }
    if (answers) return;
    port.postMessage('all?');
    await once(port, 'message');
  };
}

async function messages(): Promise<void> {
  const loads: [what: string, value: unknown, count: number, answers: boolean][] = [
    ['64 bytes, one way', new Uint8Array(64), 100_000, false],
    ['4 KiB, one way', new Uint8Array(4096), 50_000, false],
    ['64 KiB, one way', new Uint8Array(65536), 5000, false],
    ['a small object, one way', { id: 1, name: 'x' }, 50_000, false],
    ['64 bytes, there and back', new Uint8Array(64), 10_000, true],
    ['a small object, there and back', { id: 1, name: 'x' }, 10_000, true],
  ];
  const results = table(['a message', 'Channel us', 'CPU us', 'MessagePort us', 'CPU us', 'CPU ratio']);
  for (const [what, value, count, answers] of loads) {
    const sums: Record<Way, Sum> = { Channel: noSum(), MessagePort: noSum() };
    for (let round = 0; round <= ROUNDS; round++) {
      for (const way of ['Channel', 'MessagePort'] as const) {
        const sum = round === 0 ? noSum() : sums[way];
        await measure(way, value, count, answers, sum);
      }
    }
    const each = (way: Way): [string, string] => [
      ((sums[way].seconds * 1e6) / sums[way].ops).toFixed(2),
      (sums[way].cpu / sums[way].ops).toFixed(2),
    ];
    const ratio = sums.Channel.cpu / sums.MessagePort.cpu;
    results.push([what, ...each('Channel'), ...each('MessagePort'), `${ratio.toFixed(2)}x`]);
  }
  console.log(`${results}\nCPU us: CPU time of both threads for one message, or for one there and back.`);
}

async function measure(way: Way, value: unknown, count: number, answers: boolean, sum: Sum): Promise<void> {
  const [mine, theirs] = channelPair();
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(script('benchmark/peers/messages.js'), {
    workerData: { way, end: theirs, port: port2, answers },
    transferList: [theirs.port, port2],
  });
  const channel = new Channel(mine);
  const talk = way === 'Channel' ? await overChannel(channel) : await overPort(port1);
  await talk(value, count / 10, answers);
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await talk(value, count, answers);
  const { user, system } = process.cpuUsage(cpu);
  sum.ops += count;
  sum.seconds += (performance.now() - begun) / 1000;
  sum.cpu += user + system;
  await channel.close();
  port1.close();
  await worker.terminate();
}

await echo();
await messages();
