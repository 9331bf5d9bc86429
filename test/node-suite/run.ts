/**
 * Runs Node's own test files of the modules that `uasync/register` replaces: those that pass without it here must pass
 * with it, but for the known differences. They are run where they lie, and are no part of this package.
 *
 *     UASYNC_NODE_SOURCE=/path/to/node npm run test:node-suite -- net http
 *
 * `--node PATH` is the Node to run, which must be of the version of the sources. `--all` runs also those that are
 * known to differ.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';

const FAMILIES = ['net', 'dgram', 'http', 'https', 'http2', 'tls', 'child-process', 'cluster', 'fs-promises'];
const FOLDERS = ['parallel', 'sequential'];
const TIMEOUT_MS = 60_000;
/** Of tests that a signal ends: what aborts the process. */
const CRASHES = new Set(['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE']);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string', default: process.execPath },
    source: { type: 'string', default: process.env.UASYNC_NODE_SOURCE ?? '' },
    all: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
    show: { type: 'boolean', default: false },
  },
});

interface Outcome {
  passed: boolean;
  crashed: boolean;
  output: string;
}

const ROOT = new URL('../../../', import.meta.url).pathname;
const REGISTER = join(ROOT, 'dist/src/node/register.js');

/** Files of `fs` that use its promises count as theirs. */
const USES_FS_PROMISES = /fs\/promises|fs\.promises|fsPromises|\bpromises\b.*require\('fs'\)/;

function familyOf(path: string): string | undefined {
  const rest = basename(path)
    .replace(/\.m?js$/, '')
    .replace(/^test-/, '');
  if (/^(fs|file|filehandle)-(?!promises)/.test(rest)) {
    return USES_FS_PROMISES.test(readFileSync(path, 'utf8')) ? 'fs-promises' : undefined;
  }
  // The longest that fits: http2 is not http.
  return FAMILIES.filter(family => rest.startsWith(`${family}-`) || rest === family).sort(
    (a, b) => b.length - a.length,
  )[0];
}

function filesOf(families: readonly string[]): string[] {
  const files: string[] = [];
  for (const folder of FOLDERS) {
    for (const name of readdirSync(join(values.source, 'test', folder)).sort()) {
      if (!/\.m?js$/.test(name)) continue;
      const path = join(values.source, 'test', folder, name);
      const family = familyOf(path);
      if (family !== undefined && families.includes(family)) files.push(path);
    }
  }
  return files.filter(file => basename(file).includes(values.only));
}

function run(file: string, registered: boolean, id: number): Promise<Outcome> {
  const flags = /^\/\/ Flags:(.*)$/m.exec(readFileSync(file, 'utf8'))?.[1]?.trim().split(/\s+/) ?? [];
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_TEST_DIR: scratch, TEST_THREAD_ID: String(id) };
  delete env.NODE_OPTIONS;
  // Not --import: with that Node loads a program later, and messages of its parent may come too early.
  if (registered) {
    env.NODE_OPTIONS = `--require=${REGISTER}`;
    env.UASYNC_REGISTER = 'all';
  }
  return new Promise(resolve => {
    const child = spawn(values.node, [...flags, file], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    child.stdout.on('data', data => {
      output += data;
    });
    child.stderr.on('data', data => {
      output += data;
    });
    const timer = setTimeout(() => {
      output += '\n(timed out)';
      end(child.pid!);
    }, TIMEOUT_MS);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      const crashed = CRASHES.has(signal ?? '');
      resolve({ passed: code === 0, crashed, output });
      // What it has left behind holds its output open.
      end(child.pid!);
    });
  });
}

function end(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

async function each(
  files: readonly string[],
  work: (file: string, id: number) => Promise<void>,
): Promise<void> {
  const alone = files.filter(file => file.includes('/sequential/'));
  await concurrently(
    files.filter(file => !alone.includes(file)),
    work,
  );
  for (const file of alone) await work(file, 1);
}

async function concurrently(
  items: readonly string[],
  work: (file: string, id: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (id: number): Promise<void> => {
    while (next < items.length) await work(items[next++]!, id);
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, (_, id) => worker(id + 1)));
}

/** What passes without `register` on this machine: asked once for each Node. */
async function passingWithout(files: readonly string[]): Promise<Set<string>> {
  const cache = join(tmpdir(), `uasync-node-suite-${version}.json`);
  const known: Record<string, boolean> = existsSync(cache) ? JSON.parse(readFileSync(cache, 'utf8')) : {};
  const unknown = files.filter(file => known[file] === undefined);
  await each(unknown, async (file, id) => {
    known[file] = (await run(file, false, id)).passed;
  });
  writeFileSync(cache, JSON.stringify(known));
  return new Set(files.filter(file => known[file]));
}

if (!existsSync(join(values.source, 'test/parallel'))) {
  process.stderr.write('UASYNC_NODE_SOURCE, or --source, names a folder with the sources of Node\n');
  process.exit(2);
}
const scratch = join(tmpdir(), 'uasync-node-suite');
mkdirSync(scratch, { recursive: true });
const version = await new Promise<string>(resolve => {
  const child = spawn(values.node, ['--version'], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.once('data', data => resolve(String(data).trim()));
});
const major = /^v(\d+)/.exec(version)![1]!;
/** Reasons, by file name; a version in front of it says on which it differs. */
const differences: Record<string, string> = JSON.parse(
  readFileSync(join(ROOT, 'test/node-suite/differences.json'), 'utf8'),
);
const reasonOf = (name: string): string | undefined => differences[name] ?? differences[`${major}:${name}`];

let failures = 0;
let crashes = 0;
for (const family of positionals.length === 0 ? FAMILIES : positionals) {
  const files = filesOf([family]);
  const passing = await passingWithout(files);
  const counts = { passed: 0, differ: 0, failed: 0 };
  await each([...passing], async (file, id) => {
    const name = basename(file);
    const reason = reasonOf(name);
    let outcome = await run(file, true, id);
    // A loaded machine: once more, by itself in its slot.
    if (!outcome.passed && reason === undefined) outcome = await run(file, true, id);
    if (outcome.crashed) crashes++;
    if (outcome.passed) counts.passed++;
    else if (reason !== undefined) counts.differ++;
    else {
      counts.failed++;
      process.stdout.write(`failed: ${name}${outcome.crashed ? ' (crashed)' : ''}\n`);
      if (values.show) process.stdout.write(`${outcome.output.slice(0, 3000)}\n`);
    }
    if (outcome.passed && reason !== undefined && values.all) process.stdout.write(`passes now: ${name}\n`);
  });
  const share = ((100 * counts.passed) / Math.max(passing.size, 1)).toFixed(1);
  process.stdout.write(
    `${version} ${family}: ${counts.passed} of ${passing.size} passed (${share} %), ${counts.differ} differ as known, ${counts.failed} failed\n`,
  );
  failures += counts.failed;
}
process.stdout.write(`${crashes} crashes\n`);
process.exitCode = failures + crashes === 0 ? 0 : 1;
