/**
 * One Express app, served by Node's own `net` and with `uasync/register`: prints the CPU time of each for a request.
 *
 *     node dist/examples/express-both-ways.js [requests a round] [rounds]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(import.meta.url);
const CONNECTIONS = 50;

/** The used part of Express. */
interface App {
  get(path: string, handler: (request: { params: Record<string, string> }, response: Response) => void): void;
  listen(port: number, host: string, listening: () => void): http.Server;
}
interface Response {
  json(value: unknown): void;
}

/** The app, which does not know how it is run. */
function serve(): void {
  const express = createRequire(import.meta.url)('express') as () => App;
  const app = express();
  app.get('/users/:id', (request, response) => response.json({ id: request.params.id, name: 'Ada' }));
  const server = app.listen(0, '127.0.0.1', () => {
    process.send!((server.address() as AddressInfo).port);
  });
  // The CPU time so far, on request.
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send!(user + system);
  });
}

interface Contender {
  name: string;
  child: ChildProcess;
  port: number;
  cpu: number[];
}

async function start(name: string, register: string): Promise<Contender> {
  const child = fork(file, ['serve'], {
    execArgv: ['--import', 'uasync/register'],
    env: { ...process.env, UASYNC_REGISTER: register },
  });
  const [port] = (await once(child, 'message')) as [number];
  return { name, child, port, cpu: [] };
}

async function cpuOf({ child }: Contender): Promise<number> {
  child.send('cpu');
  const [cpu] = (await once(child, 'message')) as [number];
  return cpu;
}

function get(port: number, agent: http.Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path: '/users/7', agent }, response => {
        response.resume().once('end', resolve);
      })
      .once('error', reject);
  });
}

async function load(port: number, requests: number): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let left = requests;
  const client = async (): Promise<void> => {
    while (left-- > 0) await get(port, agent);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, client));
  agent.destroy();
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

async function compare(requests: number, rounds: number): Promise<void> {
  const contenders = [await start('node:net', 'off'), await start('uasync/register', 'net')];
  for (const { port } of contenders) await load(port, requests);
  for (let round = 0; round < rounds; round++) {
    // In turns, because the machine also does other work.
    for (const contender of contenders) {
      const before = await cpuOf(contender);
      await load(contender.port, requests);
      contender.cpu.push(((await cpuOf(contender)) - before) / requests);
    }
  }
  const base = median(contenders[0]!.cpu);
  for (const { name, child, cpu } of contenders) {
    const each = median(cpu);
    console.log(`${name}: ${each.toFixed(1)} us of CPU a request (${(each / base).toFixed(2)})`);
    child.disconnect();
    child.kill();
  }
}

const [first = '2000', second = '5'] = process.argv.slice(2);
if (first === 'serve') serve();
else await compare(Number(first), Number(second));
