/**
 * Closes 2,000 connections at once whose peers flood them: `npm run soak:flood`. Shorter forms are in
 * test/net/closing-bounds.test.ts.
 *
 * usage: flood.js [PEERS]
 * The peers, in a process of their own, send without an end and read nothing. Their buffers are small, so that the
 * kernel's memory for TCP does not run out.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { cpuUsage, memoryUsage } from 'node:process';
import { loop } from 'uasync';
import { type Connection, connect, type Listener, listen } from 'uasync/net';
import { collectGarbage, openFds, until } from '../harness.js';
import { built } from '../programs.js';

const COUNT = Number(process.argv[2] ?? 2000);
const MIB = 2 ** 20;
const CHUNK = new Uint8Array(16_384);

/** The peers: each sends until its connection has ended. Resolves then. */
async function flood(address: Listener['address']): Promise<void> {
  const send = async (conn: Connection): Promise<void> => {
    try {
      for (;;) await conn.write(CHUNK);
    } catch {
      await conn.reset();
    }
  };
  const sending: Promise<void>[] = [];
  while (sending.length < COUNT) {
    const conn = await connect(address as { path: string });
    conn.setSendBufferSize(16_384);
    sending.push(send(conn));
  }
  console.log('connected');
  await Promise.all(sending);
}

async function closeAll(kind: string, server: Listener): Promise<void> {
  const program = [
    ...process.execArgv,
    built('test/soak/flood.js'),
    `${COUNT}`,
    JSON.stringify(server.address),
  ];
  const peers = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(peers, 'exit');
  const connected = once(peers.stdout, 'data');
  const descriptors = openFds();
  const conns: Connection[] = [];
  while (conns.length < COUNT) conns.push(await server.accept());
  await connected;
  await Promise.all(conns.map(conn => conn.write('the answer')));
  collectGarbage();
  const before = memoryUsage.rss();
  let most = before;
  let blocks = 0;
  const watch = setInterval(() => {
    most = Math.max(most, memoryUsage.rss());
    blocks = Math.max(blocks, loop().stats().blocks.used);
  }, 20);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const start = performance.now();
  const cpu = cpuUsage();
  const times: number[] = [];
  await Promise.all(conns.map(conn => conn.close().then(() => times.push(performance.now() - start))));
  delay.disable();
  clearInterval(watch);
  const { user, system } = cpuUsage(cpu);
  const seconds = (ms: number | undefined): string => (ms! / 1000).toFixed(1);
  const took = [times[0], times[COUNT >> 1], times.at(-1)].map(seconds).join(', ');
  console.log(
    `${kind}: ${COUNT} closed after ${took} s (first, median, last), CPU ${seconds((user + system) / 1000)} s, ` +
      `memory ${((most - before) / MIB).toFixed(1)} MiB more, ${blocks} blocks, ` +
      `delay of the event loop ${(delay.percentile(99) / 1e6).toFixed(0)} ms (99%), ${(delay.max / 1e6).toFixed(0)} ms at most`,
  );
  conns.length = 0;
  await exited;
  assert.equal(peers.exitCode, 0);
  assert.ok(openFds() <= descriptors, 'no descriptor is left');
  await until(() => loop().stats().inFlight <= 1);
  assert.equal(blocks, 0, 'what is dropped takes no memory');
  assert.ok(most - before < 64 * MIB, 'memory is bounded');
  // 30 seconds is the bound; the rest is the machine's.
  assert.ok(times.at(-1)! < 60_000, 'time is bounded');
}

if (process.argv[3] !== undefined) await flood(JSON.parse(process.argv[3]));
else {
  loop();
  const tcp = await listen({ port: 0, host: '127.0.0.1', backlog: COUNT });
  await closeAll('TCP', tcp);
  await tcp.close();
  const unix = await listen({ path: `\0uasync-flood-${process.pid}`, backlog: COUNT });
  await closeAll('Unix', unix);
  await unix.close();
}
