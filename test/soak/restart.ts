/**
 * Rolling restarts under connection load: `ThreadServer.restart()` beside node:cluster, `npm run soak:restart`.
 *
 * usage: restart.js [RESTARTS] [THREADS]
 * Clients connect, ask, are answered and close, without a pause. One that is not answered is lost.
 */
import assert from 'node:assert/strict';
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { serveOnThreads, type ThreadContext } from 'uasync/net';

const HOST = '127.0.0.1';
const CLIENTS = 16;

/** What the threads run. */
export default async function serve({ listen }: ThreadContext): Promise<void> {
  for await (const conn of await listen({ port: 0, host: HOST })) {
    const answer = async (): Promise<void> => {
      for await (const chunk of conn) await conn.write(chunk);
      await conn.close();
    };
    answer().catch(() => {});
  }
}

/** What the workers of node:cluster run: the same on node:net. */
function serveInCluster(): void {
  net
    .createServer(socket => socket.on('error', () => {}).pipe(socket))
    .listen(Number(process.env.PORT), HOST);
}

/** Whether it was answered. */
function ask(port: number): Promise<boolean> {
  return new Promise(resolve => {
    let answered = false;
    const socket = net.connect(port, HOST, () => socket.write('x'));
    socket.once('data', () => {
      answered = true;
      socket.end();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answered));
  });
}

/** Restarts so many times while clients come and go. */
async function measure(
  kind: string,
  times: number,
  port: number,
  restart: () => Promise<unknown>,
): Promise<number> {
  let restarting = true;
  let connections = 0;
  let lost = 0;
  const client = async (): Promise<void> => {
    while (restarting) {
      connections++;
      if (!(await ask(port))) lost++;
    }
  };
  const start = performance.now();
  const clients = Array.from({ length: CLIENTS }, client);
  for (let i = 0; i < times; i++) await restart();
  restarting = false;
  await Promise.all(clients);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${kind}: ${lost} of ${connections} connections lost in ${times} restarts; ${seconds} s`);
  return lost;
}

async function listening(): Promise<Worker> {
  const worker = cluster.fork();
  await once(worker, 'listening');
  return worker;
}

/** A port that nobody has: the workers of the cluster share it by the primary. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function main(times: number, threads: number): Promise<void> {
  const server = await serveOnThreads(threads, fileURLToPath(import.meta.url));
  const { port } = server.address as net.AddressInfo;
  const lost = await measure('restart()', times, port, () => server.restart({ timeout: 60_000 }));
  await server.stop();

  process.env.PORT = String(await freePort());
  let workers = await Promise.all(Array.from({ length: threads }, listening));
  await measure('node:cluster', times, Number(process.env.PORT), async () => {
    const next: Worker[] = [];
    for (const old of workers) {
      next.push(await listening());
      const exited = once(old, 'exit');
      old.disconnect();
      await exited;
    }
    workers = next;
  });
  for (const worker of workers) worker.kill();
  assert.equal(lost, 0);
}

if (cluster.isWorker) serveInCluster();
else if (isMainThread) {
  await main(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 2));
}
