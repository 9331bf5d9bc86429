/** A loop whose system calls fail: what the kernel refuses now it may take later. */
import { execFile, execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import { loop } from 'uasync';
import { checkLeaks } from '../harness.js';
import { built, ROOT } from '../programs.js';

/** Whether Node has a ring of its own: libuv has from Node 22 on, and aborts when its calls fail. */
const nodeHasRing = readdirSync('/proc/self/fd').some(fd => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).includes('io_uring');
  } catch {
    return false;
  }
});
checkLeaks();

/** Why calls cannot be made to fail; false if they can. strace(1) */
function noStrace(): string | false {
  try {
    execFileSync('strace', ['-qq', '-e', 'inject=getppid:error=EIO', 'true'], { stdio: 'pipe' });
    return false;
  } catch (error) {
    return `no call can be made to fail here: ${(error as Error).message.trim()}`;
  }
}
const skip = noStrace() || (loop().backend === 'epoll' && 'the calls that fail here are those of io_uring');
const skipEnter =
  skip || (nodeHasRing && `Node ${process.version} has a ring of its own: its calls would fail with ours`);

// Without the loader that tap gives to every process.
const env = { ...process.env, NODE_OPTIONS: '' };
const settings = { cwd: ROOT, env, encoding: 'utf8', timeout: 200_000, killSignal: 'SIGKILL' } as const;

/** Runs a program of which calls fail, as in `call:error=EIO:when=1..9`; what it printed. */
async function runWith(failing: string, ...program: string[]): Promise<string> {
  const call = failing.slice(0, failing.indexOf(':'));
  const strace = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${failing}`];
  return (await promisify(execFile)('strace', [...strace, process.execPath, ...program], settings)).stdout;
}

const TURNS = built('test/fixtures/failing-turns.js');
const STARTS = built('test/fixtures/failing-starts.js');

for (const error of ['EAGAIN', 'EBUSY', 'EINTR']) {
  t.test(`${error}: what was not submitted is, later`, { skip: skipEnter }, async t => {
    const result = JSON.parse(await runWith(`io_uring_enter:error=${error}:when=2..20`, TURNS));
    t.strictSame(result, { inFlight: 0, submitted: 36, completed: 36, failures: 0, often: true });
  });
}

t.test('an error that the loop cannot handle is told, and does not end it', { skip: skipEnter }, async t => {
  const result = JSON.parse(await runWith('io_uring_enter:error=ENOMEM:when=2..20', TURNS));
  t.strictSame(result, { inFlight: 0, submitted: 36, completed: 36, failures: 19, often: true });
});

t.test('no descriptor for one of its parts: nothing of the others stays', async t => {
  const { results, left } = JSON.parse(execFileSync(process.execPath, [STARTS, 'descriptors'], settings));
  t.equal(left, 0);
  t.equal(results.length, 10);
  t.notOk(results.slice(0, 5).includes('made'), 'without any');
  const second = loop().backend === 'epoll' ? 'timerfd_create' : 'eventfd';
  t.strictSame(new Set(results.slice(5)), new Set([`${second} EMFILE`]), 'with one');
});

t.test('the kernel refuses a part of it: nothing of the others stays', { skip }, async t => {
  const { results, left } = JSON.parse(await runWith('io_uring_register:error=ENOMEM:when=1..24', STARTS));
  t.strictSame(new Set(results), new Set(['io_uring_register ENOMEM']));
  t.equal(left, 0);
});
