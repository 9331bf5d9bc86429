/**
 * `npm start`: compares uasync, on io_uring or epoll, with stock Node on this machine, in under 30 seconds. `npm start
 * -- --serve --port 7000` runs an echo server instead.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { availableBackend } from 'uasync';
import { probe } from 'uasync/ring';
import { script } from './compile.js';
import { generatorLanguage } from './load.js';
import { pinned } from './processes.js';
import { peerOf, type ScenarioResult } from './results.js';
import { measure } from './rounds.js';
import { SCENARIOS } from './scenarios/index.js';
import { median, pairedRatio } from './statistics.js';
import { figure } from './table.js';

const SHOWN = ['tcp.echo.64', 'tcp.echo.512', 'tcp.bulk.64k', 'fs.read.1', 'fs.read.64', 'nop.await.1000'];
const PEERS = ['uasync', 'node'];
const SECONDS = 0.35;
const WARM_UP = 0.5;

const { values: options } = parseArgs({
  options: {
    serve: { type: 'boolean', default: false },
    port: { type: 'string', default: '7000' },
    host: { type: 'string', default: '127.0.0.1' },
    rounds: { type: 'string', default: '3' },
  },
});

const backend = availableBackend();
const { available, reason } = probe();
if (backend === null) {
  console.error(reason?.message ?? 'uasync cannot run here: npx uasync doctor says why');
  process.exit(1);
}

console.log(`uasync runs on ${backend}`);
if (backend === 'epoll' && !available) console.log(reason!.message);

if (options.serve) {
  process.argv.splice(2, Number.POSITIVE_INFINITY, options.port, options.host);
  await import(script('examples/tcp-echo.ts'));
} else {
  await compare(Number(options.rounds));
}

async function compare(rounds: number): Promise<void> {
  const where = pinned ? 'servers on core 0, load on core 1' : 'nothing pinned to a core';
  console.log(
    `uasync beside Node ${process.version}: ${rounds} rounds in turns, ${where}, load in ${generatorLanguage()}\n`,
  );
  const table = new Table({
    head: ['', 'uasync/s', 'Node/s', 'uasync CPU us', 'Node CPU us', 'CPU ratio'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const scenario of SCENARIOS.filter(({ name }) => SHOWN.includes(name))) {
    const contenders = scenario.contenders.filter(({ name }) => PEERS.includes(name));
    table.push(
      row(await measure({ ...scenario, contenders }, { rounds, seconds: SECONDS, warmUp: WARM_UP })),
    );
  }
  console.log(table.toString());
  console.log('\nCPU us: CPU time of the process for one operation. Below 1.00x uasync needs less.');
  console.log(
    'The last row is a NOP through the kernel, or on epoll through the loop alone; of Node, a turn of its loop by setImmediate.',
  );
}

function row(result: ScenarioResult): string[] {
  const [ours, theirs] = PEERS.map(name => peerOf(result, name));
  if (ours === undefined || theirs === undefined) {
    return [result.title, ...result.failed.map(({ name, failed }) => `${name}: ${failed}`)];
  }
  const rates = [ours, theirs].map(({ rate }) => Math.round(median(rate)).toLocaleString('en'));
  const cpu = [ours, theirs].map(({ cpu }) => figure(median(cpu)));
  return [result.title, ...rates, ...cpu, `${pairedRatio(ours.cpu, theirs.cpu).toFixed(2)}x`];
}
