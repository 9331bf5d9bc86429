/** A thread with nothing to do uses no CPU. */
import t from 'tap';
import { output, ROOT } from '../programs.js';
import '../patience.js';

/** Runs `work`, does nothing for a while, and prints for how many of those milliseconds the CPU was used. */
function program(work: string): string {
  return `
    import { loop, sleep } from 'uasync';
    import { bind } from 'uasync/net';
    // Within libuv's round, before it knows of the loop's descriptor.
    await new Promise(resolve => setTimeout(resolve, 5));
    ${work}
    await new Promise(resolve => setTimeout(resolve, 20));
    const before = process.cpuUsage();
    await new Promise(resolve => setTimeout(resolve, 300));
    const { user, system } = process.cpuUsage(before);
    console.log((user + system) / 1000);`;
}

const WORK = {
  'one timer': 'await sleep(1);',
  'a timer that is cancelled': `
    const abort = new AbortController();
    const asleep = sleep(100, { signal: abort.signal }).catch(() => {});
    abort.abort();
    await asleep;`,
  'a socket that is closed amid datagrams': `
    const socket = await bind({ port: 0, host: '127.0.0.1' });
    const sender = await bind({ port: 0, host: '127.0.0.1' });
    const many = Array.from({ length: 400 }, () => ({ data: 'x', ...socket.address }));
    const received = socket.recv();
    await sender.sendMany(many).catch(() => {});
    await received;
    await socket.close();
    await sender.close();`,
};

for (const [name, work] of Object.entries(WORK)) {
  t.test(name, async t => {
    const printed = await output(
      process.execPath,
      ['--input-type=module', '-e', program(work)],
      process.env,
      ROOT,
    );
    const used = Number(printed);
    t.ok(used < 100, `${used} of 300 ms`);
  });
}
