import { spawnSync } from 'node:child_process';
import t from 'tap';
import { hasCompiler } from '../compiler.js';
import '../patience.js';
import { built, ROOT } from '../programs.js';

const skip = hasCompiler ? false : 'the load generators are in C, and there is no cc here';

t.test('applications answer their load, byte for byte', { skip }, t => {
  // The load waits for what is under way, however busy the machine is.
  const env = { ...process.env, UASYNC_LOAD_GRACE: '60' };
  const args = ['--filter', 'apps.*', '--peers', 'uasync', '--rounds', '1', '--seconds', '0.05'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [built('benchmark/main.js'), ...args], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    timeout: 250_000,
  });
  t.equal(status, 0, stderr);
  for (const name of ['store', 'store.16', 'proxy.tcp', 'proxy.http', 'dns', 'logs', 'hash']) {
    t.match(stdout, new RegExp(`apps\\.${name} `), name);
  }
  t.notMatch(stdout, /failed/);
  t.end();
});
