/** Changes of trees on a device that is slow: after the first slow ones the rest waits elsewhere. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { scratchFolder } from '../harness.js';
import { built, PLAIN_NODE } from '../programs.js';

/** In memory nothing waits for a disk that others use, and no dirty pages of others keep calls from being made at once. */
const folder = scratchFolder(existsSync('/dev/shm') ? '/dev/shm' : undefined);
/** What the walks call; libuv's threads are not traced, and call others. */
const CALLS = ['fchmod', 'symlinkat', 'mkdirat', 'unlinkat'];

/** Long enough that the pause after it, a hundred times as long, outlasts all that follows on a busy machine. */
const DELAY_US = 150_000;

/** How often the thread itself made each of these calls. The first two of each take long, and the first six lists. */
async function calls(t: Test, inlineWrites: string): Promise<Record<string, number> | undefined> {
  const at = join(folder, inlineWrites);
  let removals: string | undefined;
  const log = `${at}.log`;
  mkdirSync(at);
  const slow = CALLS.flatMap(name => ['-e', `inject=${name}:delay_enter=${DELAY_US}:when=1..2`]);
  const program = [...PLAIN_NODE, built('test/fixtures/slow-trees.js'), at, inlineWrites];
  slow.push('-e', `inject=getdents64:delay_enter=${DELAY_US}:when=1..6`);
  const args = ['-qq', '-o', log, '-e', `trace=${CALLS},getdents64,write`, ...slow, ...program];
  try {
    const { stdout } = await promisify(execFile)('strace', args);
    const [read, done, removed, victims] = stdout.split('\n');
    removals = removed;
    t.equal(`${read} ${done}`, 'read 20,20,20', 'all of it was done');
    t.match(removed, /^2\d,\d 2\d,\d$/, 'entries that two removals submitted, and by how many system calls');
    t.equal(victims, '20 of 20', 'no link that replaced a directory led out of the tree');
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code !== 'ENOENT' && !/^strace: .*(?:ptrace|inject)/im.test(stderr)) throw error;
    t.pass('', { skip: 'strace cannot be used here' });
    return undefined;
  }
  const lines = readFileSync(log, 'utf8').split('\n');
  const read = lines.findIndex(line => line.includes('"read\\n"'));
  t.ok(read > 0);
  // Each takes two or three: ext4 begins with a part of the names, and the last says that there are no more.
  const lists = lines.slice(0, read).filter(line => line.startsWith('getdents64('));
  t.ok(lists.length <= 6, `${lists.length} of getdents64`);
  const raced = lines.findIndex(line => line.includes(`"${removals}\\n"`));
  t.ok(raced > read);
  const counts = CALLS.map(name => [
    name,
    lines.slice(0, raced).filter(line => line.startsWith(`${name}(`)).length,
  ]);
  return Object.fromEntries(counts);
}

t.test('a device that is slow is left alone for a while', async t => {
  const counts = await calls(t, 'adaptive');
  if (counts === undefined) return;
  for (const [name, count] of Object.entries(counts)) t.ok(count > 0 && count <= 2, `${count} of ${name}`);
});

t.test('inlineWrites: never makes none of these calls', async t => {
  const counts = await calls(t, 'never');
  if (counts === undefined) return;
  for (const [name, count] of Object.entries(counts)) t.equal(count, 0, name);
});
