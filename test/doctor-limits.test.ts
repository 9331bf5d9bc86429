/** uasync doctor where little is allowed. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { ringsAreCounted } from '../src/ring/setup/locked-memory.js';
import { noOrdinaryUser, runLocked } from './ordinary-user.js';
import './patience.js';
import { built, PLAIN_NODE } from './programs.js';

const KIB = 1024;
const CLI = built('src/cli.js');
const skip = ringsAreCounted() ? noOrdinaryUser() : 'this kernel does not count rings as locked memory';

t.test('no locked memory: it says so, and the limit', { skip }, async t => {
  const { code, stdout, stderr } = await runLocked(0, CLI, 'doctor');
  t.equal(code, 0);
  t.equal(stderr, '');
  t.match(stdout, /! io_uring, uasync\/ring: no locked memory is left: RLIMIT_MEMLOCK allows 0 KiB/);
  t.match(stdout, /fix: raise the limit: ulimit -l/);
  t.match(stdout, /locked memory +0 of 0 bytes, which includes rings/);
  const report = JSON.parse((await runLocked(0, CLI, 'doctor', '--json')).stdout);
  t.match(report, {
    available: false,
    loop: null,
    backend: 'epoll',
    reason: { code: 'ERR_IO_URING_UNAVAILABLE' },
  });
  t.match(report.limits, { memlock: { soft: 0, hard: 0 }, memlockCounts: true });
});

t.test('enough for a loop, and no more', { skip }, async t => {
  const { code, stdout } = await runLocked(8 * KIB, CLI, 'doctor', '--json');
  t.equal(code, 0);
  const report = JSON.parse(stdout);
  t.match(report, { available: true, loop: { entries: 64, cqEntries: 128 }, bufferRings: { fit: false } });
  t.match(report.findings[0], { state: 'slower', what: 'sockets, uasync/net', fix: /ulimit -l/ });
  t.equal(report.opcodes.READ, true, 'what the kernel knows is found out all the same');
  t.equal(report.setupFlags.SQPOLL, true);
});

t.test('enough, but little', { skip }, async t => {
  const { code, stdout } = await runLocked(64 * KIB, CLI, 'doctor');
  t.equal(code, 0);
  t.match(stdout, /! locked memory: the limit is 64 KiB for all processes of a user together/);
  // From Node 22 on Node itself takes nearly all of it.
  t.match(stdout, /[✓!] sockets, uasync\/net/);
});

t.test('hardly a descriptor: wherever Node can load the command, it reports', async t => {
  let reports = 0;
  for (const count of [24, 28]) {
    const args = [`--nofile=${count}:${count}`, ...PLAIN_NODE, CLI, 'doctor', '--json'];
    const { stdout, stderr } = await promisify(execFile)('prlimit', args).catch(error => error);
    if (stdout === '') {
      t.match(stderr, 'EMFILE', `Node itself needs more than ${count}`);
      continue;
    }
    t.equal(stderr, '');
    t.match(JSON.parse(stdout).findings[0], { state: /missing|slower/, fix: /ulimit -n/ });
    reports++;
  }
  t.ok(reports > 0);
});

const NO_PROC = [
  '-m',
  'sh',
  '-c',
  'umount -l /proc && exec "$0" "$@"',
  ...PLAIN_NODE,
  CLI,
  'doctor',
  '--json',
];

t.test('no /proc', async t => {
  const result = await promisify(execFile)('unshare', NO_PROC).catch(error => error);
  if (result.stdout === '') return t.comment(`/proc cannot be taken away: ${result.stderr}`);
  const { limits, findings } = JSON.parse(result.stdout);
  t.ok(limits.memlock.soft === null || limits.memlock.soft >= 0, 'Node knows the limits too');
  t.ok(limits.nofile.soft > 0);
  t.ok(findings.length > 0);
});
