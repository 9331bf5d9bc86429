/**
 * `npm run bench:setup`: installs the peers of the benchmarks. Runtimes and packages from npm go into benchmark/node_modules, never
 * into the package itself; other versions of Node go into node_modules/.nodes. Compilers come from the system's
 * packages.
 */
import { spawnSync } from 'node:child_process';
import { sourceFile } from './compile.js';
import { nodeOfVersion } from './node-versions.js';
import { PACKAGES, RUNTIMES, runtimePackage } from './peers.js';
import { NODES } from './scenarios/versions.js';

const DEBIAN = ['gcc', 'libc6-dev', 'liburing-dev', 'libuv1-dev', 'golang-go', 'fio'];

function run(program: string, ...args: string[]): void {
  console.log(`> ${[program, ...args].join(' ')}`);
  const { status, error } = spawnSync(program, args, { stdio: 'inherit' });
  if (status === 0) return;
  console.error(`${program} failed${error === undefined ? '' : `: ${error.message}`}`);
  process.exitCode = 1;
}

const runtimes = (Object.keys(RUNTIMES) as (keyof typeof RUNTIMES)[]).map(runtimePackage);
run(
  'npm',
  ...[
    'install',
    '--prefix',
    sourceFile('benchmark'),
    '--no-save',
    '--no-package-lock',
    '--no-audit',
    '--no-fund',
  ],
  ...runtimes,
  ...Object.values(PACKAGES),
);

for (const version of NODES) console.log(`> Node ${version}: ${nodeOfVersion(version).program}`);

if (spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).status !== 0) {
  console.log(`There is no apt-get here: install a C compiler, liburing, libuv, Go and fio for their peers`);
} else if (process.getuid!() !== 0) {
  console.log(`Not root: for the peers in C and Go, and fio, run  apt-get install ${DEBIAN.join(' ')}`);
} else {
  run('apt-get', 'install', '-y', '--no-install-recommends', ...DEBIAN);
}
