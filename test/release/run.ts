/**
 * `npm run release [-- --publish]`: whether this checkout can be released as the version that package.json names. Says
 * what is missing, or prints the commands that release it; `--publish` runs them.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { ROOT } from '../programs.js';
import { checkRelease } from './checks.js';

const { publish } = parseArgs({ options: { publish: { type: 'boolean', default: false } } }).values;

const { name, version, tag, packed, problems } = await checkRelease(ROOT);
const [size, unpacked] = [packed.size, packed.unpackedSize].map(bytes => `${Math.round(bytes / 1024)} KiB`);
console.log(`${name} ${version}: ${packed.files.length} files, ${size} packed, ${unpacked} unpacked`);

if (problems.length > 0) {
  console.log(`\n${version} cannot be released:`);
  for (const problem of problems) console.log(`- ${problem}`);
  process.exit(1);
}

/** In this order: what is published has its tag. */
const commands = [
  ['git', 'tag', '-a', tag, '-m', `${name} ${version}`],
  ['npm', 'publish', '--provenance', '--access', 'public'],
  ['git', 'push', 'origin', 'main', tag],
];
if (!publish) {
  console.log('\nIt can be released. `npm run release -- --publish` runs:');
  for (const command of commands) {
    console.log(`  ${command.map(part => (part.includes(' ') ? `'${part}'` : part)).join(' ')}`);
  }
}
for (const [program, ...args] of publish ? commands : []) {
  const { status, error } = spawnSync(program!, args, { cwd: ROOT, stdio: 'inherit' });
  if (status === 0) continue;
  console.error(error?.message ?? `${program} ${args[0]} failed; nothing after it was done`);
  process.exit(1);
}
