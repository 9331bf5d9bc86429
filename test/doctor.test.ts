/** uasync doctor, where all is well and where it is not. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import t from 'tap';
import * as abi from 'uasync/ring';
import { probe } from 'uasync/ring';
import { examine, type Facts } from '../src/doctor/examine.js';
import { findings } from '../src/doctor/findings.js';
import { toText } from '../src/doctor/text.js';
import { openFds } from './harness.js';
import { built } from './programs.js';

const CLI = built('src/cli.js');
const DENY = built('test/fixtures/deny-io-uring.js');

/** Runs node; what it printed and its exit code. */
async function run(
  args: string[],
  options: { uid?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<{ stdout: string; stderr: string; code: number }> {
  try {
    const done = await promisify(execFile)(process.execPath, args, { timeout: 200_000, ...options });
    return { ...done, code: 0 };
  } catch (error) {
    const { stdout = '', stderr = '', code } = error as { stdout?: string; stderr?: string; code: number };
    return { stdout, stderr, code };
  }
}

t.test('its facts are those of the kernel', async t => {
  // The first stream of libuv's opens /dev/null for good, and here it may be that of the self-test.
  await examine();
  const before = openFds();
  const facts = await examine();
  t.equal(openFds(), before);
  t.equal(facts.available, true);
  t.equal(facts.reason, null);
  const { supports, features } = probe();
  const opcodes = new Map(Object.entries(abi));
  for (const [name, has] of Object.entries(facts.opcodes)) {
    t.equal(has, supports(opcodes.get(`OP_${name}`) as number), name);
  }
  t.equal(facts.features.NODROP, (features & abi.FEAT_NODROP) !== 0);
  t.equal(facts.setupFlags.SQPOLL, true);
  t.equal(facts.bufferRings.plain, supports(abi.OP_SOCKET), 'both came with 5.19');
  t.ok(facts.limits.nofile!.soft! > 0);
});

t.test('for people and for machines', async t => {
  const people = await run([CLI, 'doctor']);
  t.equal(people.code, 0);
  t.match(people.stdout, /✓ sockets, uasync\/net/);
  t.match(people.stdout, /✓ Node's own sockets and servers, uasync\/register: off, UASYNC_REGISTER=net/);
  t.match(people.stdout, /✓ node:dgram, uasync\/register: off, UASYNC_REGISTER=dgram/);
  t.match(people.stdout, /✓ fs\.promises, uasync\/register: on/);
  const asked = await run([CLI, 'doctor'], { env: { ...process.env, UASYNC_REGISTER: 'net,dgram' } });
  t.match(asked.stdout, /✓ Node's own sockets and servers, uasync\/register: on/);
  t.match(asked.stdout, /✓ node:dgram, uasync\/register: on/);
  t.match(asked.stdout, /✓ fs\.promises, uasync\/register: off, UASYNC_REGISTER=fs/);
  t.notMatch(people.stdout, '\u001b[', 'no colours without a terminal');
  const machines = await run([CLI, 'doctor', '--json']);
  t.equal(machines.code, 0);
  const report = JSON.parse(machines.stdout);
  t.equal(report.available, true);
  t.ok(report.findings.every((finding: { state: string }) => finding.state !== 'missing'));
});

t.test('wrong usage is explained', async t => {
  for (const args of [[], ['cure'], ['doctor', 'now'], ['doctor', '--loud']]) {
    const { code, stderr } = await run([CLI, ...args]);
    t.equal(code, 2);
    t.match(stderr, 'uasync doctor [--json]');
  }
  t.equal((await run([CLI, '--help'])).code, 0);
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  t.equal((await run([CLI, '--version'])).stdout, `${version}\n`);
});

t.test('under a seccomp filter it names that, and the fix', async t => {
  for (const errno of ['1', '38']) {
    const { code, stdout } = await run([DENY, errno, CLI, 'doctor']);
    t.equal(code, 0);
    const denied =
      '! io_uring, uasync/ring: a seccomp filter is active; sockets and files run on epoll instead';
    t.match(stdout, `${denied}\n  fix: in a container, run it with a profile`);
    t.match(stdout, '✓ loops on epoll, uasync');
    t.match(stdout, /backend +epoll\n/);
    t.match(stdout, /seccomp filter +yes/);
  }
  const report = JSON.parse((await run([DENY, '1', CLI, 'doctor', '--json'])).stdout);
  t.match(report, { available: false, backend: 'epoll', asked: 'auto' });
  t.match(report.reason, { code: 'ERR_IO_URING_UNAVAILABLE', cause: 'a seccomp filter is active' });
  t.equal(report.opcodes.READ, false);
});

t.test('what UASYNC_BACKEND says', async t => {
  const doctor = (backend: string): Promise<{ stdout: string; code: number }> =>
    run([CLI, 'doctor'], { env: { ...process.env, UASYNC_BACKEND: backend } });
  const epoll = await doctor('epoll');
  t.equal(epoll.code, 0);
  t.match(epoll.stdout, '✓ io_uring, uasync/ring: not used, as UASYNC_BACKEND says');
  t.match(epoll.stdout, /backend +epoll \(UASYNC_BACKEND\)/);
  const wrong = await doctor('kqueue');
  t.equal(wrong.code, 1);
  t.match(
    wrong.stdout,
    "✗ loops, uasync: The argument 'UASYNC_BACKEND' must be 'auto', 'io_uring' or 'epoll'",
  );
  const env = { ...process.env, UASYNC_BACKEND: 'io_uring' };
  const denied = await run([DENY, '1', CLI, 'doctor'], { env });
  t.equal(denied.code, 1);
  t.match(denied.stdout, '✗ io_uring: a seccomp filter is active');
});

t.test('what an older kernel lacks is slower or missing, with the release that has it', async t => {
  const facts: Facts = await examine();
  facts.opcodes.BIND = false;
  facts.bufferRings.incremental = false;
  facts.opcodes.SEND_ZC = false;
  facts.limits.nofile!.soft = 1024;
  const found = findings(facts);
  t.match(found[0], { state: 'missing', what: 'sockets, uasync/net', fix: 'run Linux 6.0 or later' });
  t.match(
    found.filter(({ state }) => state === 'slower').map(({ what }) => what),
    ['listening on the ring', 'incremental receive buffers', 'open files'],
  );
  const text = toText(facts, found, (style, text) => `<${style}>${text}`);
  t.match(text, '<red>✗ sockets, uasync/net');
  t.match(text, '<yellow>! open files: the limit is 1024');
});

const SYSCTL = '/proc/sys/kernel/io_uring_disabled';

t.test(
  'with the sysctl it names that, and the fix',
  {
    skip: process.env.UASYNC_SYSCTL
      ? false
      : 'it changes the whole machine for a moment: npm run test:sysctl',
  },
  async t => {
    const before = readFileSync(SYSCTL);
    t.teardown(() => writeFileSync(SYSCTL, before));
    writeFileSync(SYSCTL, '2');
    const off = await run([CLI, 'doctor']);
    t.equal(off.code, 0);
    t.match(
      off.stdout,
      /! io_uring, uasync\/ring: the administrator has switched io_uring off; .*\n {2}fix: sysctl/,
    );
    writeFileSync(SYSCTL, '1');
    const other = await run([CLI, 'doctor'], { uid: 65534 });
    writeFileSync(SYSCTL, before);
    if (other.stdout === '') return t.comment(`another user cannot run this: ${other.stderr.slice(0, 200)}`);
    t.equal(other.code, 0);
    t.match(
      other.stdout,
      /! io_uring, uasync\/ring: only members of a group may use io_uring; .*\n {2}fix: sysctl/,
    );
  },
);
