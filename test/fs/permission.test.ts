/**
 * Under Node's permission model uasync/fs refuses what Node refuses, in the same words. Each set of flags is a process
 * that makes every call by both.
 */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { scratchFolder } from '../harness.js';
import { built, output, PLAIN_NODE, ROOT } from '../programs.js';

const folder = nodeFs.realpathSync(scratchFolder());
const flags = process.allowedNodeEnvironmentFlags;
const MODEL = flags.has('--permission') ? '--permission' : '--experimental-permission';
const PROGRAM = built('test/fixtures/permission.js');
// What the program itself is made of.
const PROJECT = [ROOT, join(ROOT, 'node_modules')].map(
  path => `--allow-fs-read=${nodeFs.realpathSync(path)}/`,
);
const LOADS = [MODEL, '--allow-addons', '--no-warnings', ...PROJECT];

const [NODE, ...OPTIONS] = PLAIN_NODE;

const NODE_20 = process.versions.node.startsWith('20.');

type Outcome = Record<string, unknown>;

/** A folder for each call, by each of the two, where it is allowed and where it is not. */
async function places(at: string): Promise<void> {
  const names = JSON.parse(await output(NODE, [...OPTIONS, PROGRAM, '--names'])) as string[];
  for (const place of ['node/allowed', 'node/denied', 'ours/allowed', 'ours/denied']) {
    for (const name of names) {
      const path = join(at, place, name);
      nodeFs.mkdirSync(join(path, 'empty'), { recursive: true });
      nodeFs.writeFileSync(join(path, 'file'), 'text');
      nodeFs.symlinkSync('/etc/passwd', join(path, 'link'));
    }
  }
}

function withoutPlace(outcome: Outcome): unknown {
  return JSON.parse(JSON.stringify(outcome).replaceAll(/\/(node|ours)\//g, '/'));
}

const allowed = (at: string): string[] => ['node', 'ours'].map(which => join(at, which, 'allowed/'));

const SETS: Record<string, (at: string) => string[]> = {
  nothing: () => [],
  reading: at => allowed(at).map(path => `--allow-fs-read=${path}`),
  writing: at => allowed(at).map(path => `--allow-fs-write=${path}`),
  both: at => allowed(at).flatMap(path => [`--allow-fs-read=${path}`, `--allow-fs-write=${path}`]),
  'reading everything': at => ['--allow-fs-read=*', ...allowed(at).map(path => `--allow-fs-write=${path}`)],
  everything: () => ['--allow-fs-read=*', '--allow-fs-write=*'],
};

for (const [name, set] of Object.entries(SETS)) {
  t.test(`allowed: ${name}`, async t => {
    const at = join(folder, name.replace(' ', '-'));
    await places(at);
    const printed = await output(NODE, [...OPTIONS, ...LOADS, ...set(at), PROGRAM, at]);
    const results = Object.entries(JSON.parse(printed) as Record<string, [Outcome, Outcome]>);
    let refused = 0;
    for (const [call, [theirs, mine]] of results) {
      if (theirs.code === 'ERR_ACCESS_DENIED') refused++;
      // It is Node's call on a descriptor, which Node 20 refuses where it does not refuse that of a handle.
      const stricter = NODE_20 && call.endsWith('handle.utimes') && mine.code === 'ERR_ACCESS_DENIED';
      if (stricter) t.pass(call);
      else if (!/xattr|Many/.test(call)) t.strictSame(withoutPlace(mine), withoutPlace(theirs), call);
      else checkOwn(call, mine, name);
    }
    t.comment(`${refused} of ${results.length} calls are refused`);
    if (name === 'nothing') t.ok(refused > 80);
  });
}

/** What Node has no call for. */
function checkOwn(call: string, mine: Outcome, set: string): void {
  const scope = call.includes('write') ? 'FileSystemWrite' : 'FileSystemRead';
  const verb = scope === 'FileSystemRead' ? 'reading' : 'writing';
  const all = set === 'everything' || (set === 'reading everything' && verb === 'reading');
  const some =
    call.startsWith('allowed') && (set.startsWith(verb) || set === 'both' || set === 'reading everything');
  if (all || some) t.not(mine.code, 'ERR_ACCESS_DENIED', `${set}: ${call}`);
  else
    t.match(mine, { code: 'ERR_ACCESS_DENIED', permission: scope, resource: /\/file$/ }, `${set}: ${call}`);
}

t.test('without leave for addons the error says so', async t => {
  const run = (flags: string[]): Promise<string> =>
    output(NODE, [...OPTIONS, '--no-warnings', ...flags, built('test/fixtures/permission-loop.js')]);
  t.match(await run([MODEL, ...PROJECT]), /^ERR_IO_URING_UNAVAILABLE .*native addon.*--allow-addons/);
  t.match(await run(['--no-addons']), /^ERR_IO_URING_UNAVAILABLE .*native addon.*without --no-addons/);
  t.equal(await run(LOADS), '');
});

t.test('the network, where the running Node guards it', async t => {
  const run = async (flags: string[]): Promise<string[]> => {
    const args = [...LOADS, ...flags, built('test/fixtures/permission-net.js')];
    return (await output(NODE, [...OPTIONS, ...args])).trim().split('\n');
  };
  const free = [/ECONNREFUSED/, /ECONNREFUSED/, /ENOENT/, /ok/, /ok/, /ok/];
  if (!flags.has('--allow-net')) {
    t.match(await run([]), free, 'this Node does not guard it');
    return;
  }
  const denied = await run([]);
  for (const line of denied) t.match(line, / ERR_ACCESS_DENIED /);
  t.match(denied[0], /Net 127\.0\.0\.1$/);
  t.match(denied[2], /Net \/no\/such\/socket$/);
  t.match(await run(['--allow-net']), free);
});
