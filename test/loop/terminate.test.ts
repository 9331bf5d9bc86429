/** Workers that are terminated at any moment: the process must survive. The long form is `npm run soak:terminate`. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { built } from '../programs.js';

/** In a process of its own, as it may abort. */
async function terminate(times: number, kinds: string, within: number): Promise<string> {
  const args = ['--expose-gc', built('test/soak/terminate.js'), `${times}`, kinds, `${within}`];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout;
}

// They wait more than they compute.
t.jobs = 3;

t.test('while koffi is loaded and bound', async t => {
  t.match(await terminate(16, 'load,bind', 0), '16 terminated');
});

t.test('while memory is mapped, and while loops are made', async t => {
  t.match(await terminate(6, 'pinned,loops', 60), '6 terminated');
});

t.test('under load', async t => {
  t.match(await terminate(12, 'echo,files,channels,exit,throw,threads', 60), '12 terminated');
});
