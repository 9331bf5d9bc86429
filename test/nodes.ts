/** `npm run test:nodes [-- 22 26]`: the whole suite on each of these versions of Node. */
import { spawnSync } from 'node:child_process';
import { nodeOfVersion } from '../benchmark/node-versions.js';
import { built } from './programs.js';

const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24', '26'];
const failed = versions.filter(version => {
  const { program } = nodeOfVersion(version);
  console.log(`\nNode ${spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout}`);
  const run = [built('test/run.js'), '--node', version];
  return spawnSync(process.execPath, run, { stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) console.log(`\nFailed on Node ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
