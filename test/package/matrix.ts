/**
 * `npm run test:package [-- name ...]`: the packed package in fresh projects, with the compilers, bundlers, test runners
 * and package managers that its users have, which npm installs into a temporary folder. Takes some minutes.
 */
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output, ROOT } from '../programs.js';
import { pack, TYPED_PROGRAM, tsconfig } from './packed.js';
import { COMMONJS, Project, THREADS, WORKER } from './project.js';

const TYPESCRIPTS = ['5.6', '5.7', '5.8', '5.9', '6.0', '7.0'];
/** From this one on, CommonJS may load ESM by require, with nodenext resolution. */
const REQUIRES_ESM = 5.8;

const QUIET = ['--no-audit', '--no-fund', '--loglevel=error', '--fetch-timeout=60000'];
const ESM = '{ "type": "module" }';

const folder = mkdtempSync(join(tmpdir(), 'uasync-package-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const names = process.argv.slice(2);
/** Whether an attempt was asked for, or some of a family of attempts. */
const wanted = (name: string): boolean =>
  names.length === 0 || names.some(part => name.includes(part) || part.includes(name));
let passed = 0;
let failed = 0;

async function attempt(name: string, run: () => Promise<void>): Promise<void> {
  if (!wanted(name)) return;
  try {
    await run();
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${(error as Error).message}\n`);
  }
}

const tarball = await pack(folder);
/** Where a server of the registry is that npm uses. */
const registry = (await output('npm', ['config', 'get', 'registry'])).trim();

/** Projects in its folder share what is installed here. */
const shared = new Project(join(folder, 'shared'), { 'package.json': ESM });
const bin = (name: string): string => join(shared.folder, 'node_modules/.bin', name);

/** Installs these beside the package. */
async function install(...packages: string[]): Promise<void> {
  await shared.run('npm', 'install', ...QUIET, tarball, ...packages);
}

/** A project that sees what is installed, and only that. */
function project(name: string, files: Record<string, string>): Project {
  return new Project(join(shared.folder, name), { 'package.json': ESM, ...files });
}

async function compilers(): Promise<void> {
  const compilers = TYPESCRIPTS.filter(version => wanted(`TypeScript ${version}`));
  if (compilers.length === 0) return;
  await install(
    '@types/node',
    'undici-types',
    ...compilers.map(version => `typescript-${version}@npm:typescript@${version}`),
  );
  for (const version of compilers) {
    for (const resolution of ['node16', 'nodenext', 'bundler'] as const) {
      for (const type of ['module', 'commonjs']) {
        const requires = type === 'commonjs' && resolution !== 'bundler';
        if (requires && (resolution === 'node16' || Number(version) < REQUIRES_ESM)) continue;
        await attempt(`TypeScript ${version}, ${resolution}, ${type}`, async () => {
          const compiled = project(`typescript-${version}-${resolution}-${type}`, {
            'package.json': JSON.stringify({ type }),
            'program.ts': TYPED_PROGRAM,
            'tsconfig.json': tsconfig(resolution),
          });
          const compiler = join(shared.folder, `node_modules/typescript-${version}/bin/tsc`);
          await compiled.run(process.execPath, compiler, '-p', '.');
        });
      }
    }
  }
}

/** The configurations that docs/install.md prints, by their names. */
function configurations(): Record<string, string> {
  const text = readFileSync(join(ROOT, 'docs/install.md'), 'utf8');
  const blocks = text.matchAll(/^```js\n\/\/ (\w+\.config\.js)\n([\s\S]*?)^```$/gm);
  return Object.fromEntries([...blocks].map(([, name, code]) => [name!, code!]));
}

const BUNDLERS: Record<string, { packages: string[]; command: string[]; output: string }> = {
  esbuild: {
    packages: ['esbuild'],
    command: [
      ...['esbuild', 'threads.js', 'worker.js', 'uasync/thread-entry', '--bundle', '--splitting'],
      ...['--platform=node', '--format=esm', '--external:koffi', '--entry-names=[name]', '--outdir=esbuild'],
    ],
    output: 'esbuild',
  },
  Rollup: {
    packages: ['rollup', '@rollup/plugin-node-resolve'],
    command: ['rollup', '-c', '--silent'],
    output: 'rollup',
  },
  Vite: { packages: ['vite'], command: ['vite', 'build', '--logLevel', 'warn'], output: 'vite' },
  webpack: { packages: ['webpack', 'webpack-cli'], command: ['webpack'], output: 'webpack' },
};

async function bundlers(): Promise<void> {
  const some = Object.entries(BUNDLERS).filter(([name]) => wanted(`bundled by ${name}`));
  if (some.length === 0) return;
  await install(...some.flatMap(([, { packages }]) => packages));
  for (const [name, { command, output }] of some) {
    await attempt(`bundled by ${name}`, async () => {
      const files = { ...configurations(), 'threads.js': THREADS, 'worker.js': WORKER };
      const bundled = project(`bundled-${name}`, files);
      const [program, ...args] = command;
      await bundled.run(bin(program!), ...args);
      // Elsewhere, with koffi alone.
      const alone = new Project(join(folder, `alone-${name}`), { 'package.json': ESM, 'node_modules/x': '' });
      symlinkSync(join(shared.folder, 'node_modules/koffi'), join(alone.folder, 'node_modules/koffi'));
      await alone.run('cp', '-r', `${join(bundled.folder, output)}/.`, '.');
      await alone.prints('Linux', 'threads.js');
    });
  }
}

/** A test under fake timers: what it imports, how it starts and ends them, and how it compares. */
function fakeTimersTest(imports: string, start: string, end: string): string {
  return `
${imports}
import assert from 'node:assert/strict';
import { sleep } from 'uasync';
import { readFile } from 'uasync/fs';
import { connect, listen } from 'uasync/net';
test('sockets and files, under fake timers', async () => {
  ${start};
  const server = await listen({ port: 0, host: '127.0.0.1' });
  const client = await connect(server.address, { timeout: 60_000 });
  const conn = await server.accept();
  await conn.write(await readFile('/proc/version'));
  await sleep(1);
  assert.equal(String(await client.readExactly(5)), 'Linux');
  await Promise.all([client.close(), conn.close(), server.close()]);
  ${end};
});
`;
}

async function runners(): Promise<void> {
  const some = ['node:test', 'Vitest', 'Jest'].filter(name => wanted(`tests of ${name}`));
  if (some.length === 0) return;
  await install('vitest', 'jest');
  await attempt('tests of node:test', async () => {
    const text = fakeTimersTest(
      "import { mock, test } from 'node:test';",
      'mock.timers.enable()',
      'mock.timers.reset()',
    );
    await project('node-test', { 'a.test.js': text }).prints('pass 1', '--test', 'a.test.js');
  });
  await attempt('tests of Vitest', async () => {
    const text = fakeTimersTest(
      "import { test, vi } from 'vitest';",
      'vi.useFakeTimers()',
      'vi.useRealTimers()',
    );
    await project('vitest', { 'a.test.js': text }).run(bin('vitest'), 'run', '--root', '.');
  });
  await attempt('tests of Jest', async () => {
    const text = fakeTimersTest(
      "import { jest, test } from '@jest/globals';",
      'jest.useFakeTimers()',
      'jest.useRealTimers()',
    );
    const run = project('jest', { 'a.test.js': text });
    await run.run(process.execPath, '--experimental-vm-modules', bin('jest'), '--rootDir', '.');
  });
}

const PROGRAMS = { 'threads.js': THREADS, 'worker.js': WORKER, 'commonjs.cjs': COMMONJS };

async function managers(): Promise<void> {
  for (const flags of [[], ['--ignore-scripts']]) {
    await attempt(['npm install', ...flags].join(' '), async () => {
      const installed = new Project(join(folder, `npm${flags.join('')}`), {
        'package.json': ESM,
        ...PROGRAMS,
      });
      await installed.run('npm', 'install', ...QUIET, ...flags, tarball);
      await installed.prints('Linux', 'threads.js');
      await installed.prints('Linux', 'commonjs.cjs');
      await installed.run(process.execPath, 'node_modules/.bin/uasync', 'doctor');
    });
  }
  await attempt('npm install --omit=optional: no native code, and an error that says so', async () => {
    const program = `
      import { availableBackend, loop } from 'uasync';
      console.log(availableBackend());
      try { loop(); } catch (error) { console.log(error.code, error.message); }`;
    const installed = new Project(join(folder, 'omitted'), { 'package.json': ESM, 'program.js': program });
    // koffi's script would try to compile what is left out.
    await installed.run('npm', 'install', ...QUIET, '--omit=optional', '--ignore-scripts', tarball);
    await installed.prints("'--omit=optional'", 'program.js');
    await installed.prints('null\nERR_', 'program.js');
  });
  await attempt('pnpm', async () => {
    const tools = new Project(join(folder, 'pnpm-tools'), { 'package.json': ESM });
    await tools.run('npm', 'install', ...QUIET, 'pnpm');
    const installed = new Project(join(folder, 'pnpm'), { 'package.json': ESM, ...PROGRAMS });
    await installed.run(join(tools.folder, 'node_modules/.bin/pnpm'), 'add', '--ignore-scripts', tarball);
    await installed.prints('Linux', 'threads.js');
    await installed.prints('Linux', 'commonjs.cjs');
  });
  await attempt("Yarn with Plug'n'Play", async () => {
    const tools = new Project(join(folder, 'yarn-tools'), { 'package.json': ESM });
    await tools.run('npm', 'install', ...QUIET, '@yarnpkg/cli-dist');
    const files = {
      'package.json': JSON.stringify({ name: 'user', type: 'module', packageManager: undefined }),
      'yarn.lock': '',
      '.yarnrc.yml': [
        `npmRegistryServer: ${JSON.stringify(registry.replace(/\/$/, ''))}`,
        'nodeLinker: pnp',
        'enableTelemetry: false',
        'enableGlobalCache: false',
        'enableScripts: false',
        'npmMinimalAgeGate: 0',
      ].join('\n'),
      ...PROGRAMS,
    };
    const installed = new Project(join(folder, 'yarn'), files);
    const yarn = join(tools.folder, 'node_modules/@yarnpkg/cli-dist/bin/yarn.js');
    await installed.run(process.execPath, yarn, 'add', `uasync@file:${tarball}`);
    for (const program of ['threads.js', 'commonjs.cjs']) {
      const printed = await installed.run(process.execPath, yarn, 'node', program);
      if (!printed.includes('Linux')) throw new Error(`${program} printed ${printed}`);
    }
  });
}

await managers();
await bundlers();
await runners();
await compilers();
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
