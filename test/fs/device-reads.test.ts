/** A device node is on a tmpfs, but it is no file in memory: a read of it waits, and must not hold up the thread. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import nodeFs from 'node:fs';
import { createInterface } from 'node:readline';
import t from 'tap';
import { built, PLAIN_NODE } from '../programs.js';

t.test('a read of a device that has nothing yet holds nothing up', async t => {
  try {
    nodeFs.closeSync(nodeFs.openSync('/dev/kmsg', 'r'));
  } catch (error) {
    t.comment(`the kernel's log cannot be read here: ${(error as Error).message}`);
    return;
  }
  const [command, ...args] = [...PLAIN_NODE, built('test/fixtures/kernel-log.js')];
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  // Held up, it says nothing.
  for await (const line of createInterface(child.stdout)) {
    t.equal(line, 'waiting');
    break;
  }
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
});
