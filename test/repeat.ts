/**
 * `npm run test:repeat -- [--runs 20] [--at-once 2] [--nodes 20,26] [name ...]`: runs the whole suite, or the
 * test files with such a part in their names, again and again, several at once beside a busy loop: to find the
 * tests that fail by chance.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { type NodeVersion, nodeOfVersion, THIS_NODE } from './node-versions.js';
import { built, ROOT } from './programs.js';

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '20' },
    'at-once': { type: 'string', default: '2' },
    nodes: { type: 'string' },
  },
});
const { tap } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  tap: { 'node-arg': string[]; jobs: number; timeout: number };
};
const files = (readdirSync(built('test'), { recursive: true }) as string[])
  .filter(
    name => name.endsWith('.test.js') && (names.length === 0 || names.some(part => name.includes(part))),
  )
  .map(name => built(`test/${name}`));
const nodes = options.nodes?.split(',').map(nodeOfVersion) ?? [THIS_NODE];
const logs = join(ROOT, '.tap', 'repeat');

interface Failure {
  run: number;
  file: string;
  how: string;
}
const failures: Failure[] = [];
const running = new Set<ChildProcess>();

/** Runs one test file, as tap does. */
async function runFile(run: number, { program, env }: NodeVersion, file: string): Promise<void> {
  const child = spawn(program, [...tap['node-arg'], file], {
    cwd: ROOT,
    env: { ...env, TAP_TIMEOUT: String(tap.timeout) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      printed += text;
    });
  }
  // tap ends what takes longer by itself, unless it hangs in one turn of its loop.
  const timer = setTimeout(() => child.kill('SIGKILL'), (tap.timeout + 20) * 1000);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  running.delete(child);
  if (code === 0) return;
  const name = relative(ROOT, file);
  const log = join(logs, `${run}-${name.replaceAll('/', '-')}.log`);
  mkdirSync(logs, { recursive: true });
  writeFileSync(log, printed);
  failures.push({ run, file: name, how: signal ?? `exit code ${code}` });
  const told = printed.match(/^ *not ok .*(\n +(?!(not )?ok\b).*){0,20}/gm) ?? [printed.slice(-2000)];
  console.log(`\nrun ${run}, ${name}: ${signal ?? `exit code ${code}`}, see ${log}\n${told.join('\n')}`);
}

/** One run of all the files, in an order of its own. */
async function runSuite(run: number): Promise<void> {
  const node = nodes[run % nodes.length]!;
  const start = performance.now();
  const rest = files.map(file => ({ file, rank: Math.random() })).sort((a, b) => a.rank - b.rank);
  const jobs = Array.from({ length: tap.jobs }, async () => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) await runFile(run, node, next.file);
  });
  await Promise.all(jobs);
  const failed = failures.filter(failure => failure.run === run).length;
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`run ${run} on ${node.program}: ${failed} of ${files.length} files failed, ${seconds} s`);
}

const busy = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
running.add(busy);
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const runs = Number(options.runs) * nodes.length;
let begun = 0;
await Promise.all(
  Array.from({ length: Number(options['at-once']) }, async () => {
    while (begun < runs) await runSuite(begun++);
  }),
);
busy.kill('SIGKILL');

for (const { run, file, how } of failures) console.log(`FAILED: run ${run}, ${file}, ${how}`);
console.log(`${runs * files.length - failures.length} passed, ${failures.length} failed, 0 skipped`);
process.exitCode = failures.length > 0 ? 1 : 0;
