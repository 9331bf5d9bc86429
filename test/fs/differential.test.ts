/** Random operations against node:fs/promises and uasync/fs: results, errors and what is left must agree. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkLeaks, scratchFolder, seededRandom } from '../harness.js';
import { ROOT } from '../programs.js';
import { type Api, node, ours, outcome } from './beside-node.js';

const folder = scratchFolder();
checkLeaks();

const NAMES = ['a', 'b', 'c', 'd', 'a/a', 'a/b', 'b/a', 'b/c', 'a/b/a', 'a/b/c', 'c/missing/x', 'd/'];
const FLAGS = ['r', 'r+', 'w', 'w+', 'wx', 'a', 'a+', 'ax+', 'as', 'rs+'];
const ENCODINGS = ['utf8', 'latin1', 'hex', 'base64', null] as const;

type Operation = (api: Api, at: (name: string) => string) => Promise<unknown>;

/** One operation, with its arguments chosen once for both. */
function operation(random: () => number): Operation {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const [one, two] = [pick(NAMES), pick(NAMES)];
  const size = Math.floor(random() ** 4 * 400_000);
  const text = String.fromCharCode(97 + Math.floor(random() * 26)).repeat(size);
  const position = random() < 0.5 ? null : Math.floor(random() * 2000);
  const [flag, encoding] = [pick(FLAGS), pick(ENCODINGS)];
  const kinds: Operation[] = [
    (api, at) => api.writeFile(at(one), text, { flag, mode: 0o640 }),
    (api, at) => api.writeFile(at(one), Buffer.from(text)),
    (api, at) => api.appendFile(at(one), text, { encoding }),
    (api, at) => api.readFile(at(one), { encoding }),
    (api, at) => api.readFile(at(one), { flag, encoding }),
    (api, at) => api.mkdir(at(one), 0o750),
    (api, at) => api.mkdir(at(one), { recursive: true }),
    (api, at) => api.rmdir(at(one)),
    (api, at) => api.rm(at(one), { recursive: size % 2 === 0, force: size % 3 === 0 }),
    (api, at) => api.rename(at(one), at(two)),
    (api, at) => api.unlink(at(one)),
    (api, at) => api.link(at(one), at(two)),
    (api, at) => api.symlink(two, at(one)),
    (api, at) => api.readlink(at(one)),
    (api, at) => api.copyFile(at(one), at(two), size % 2),
    (api, at) => api.truncate(at(one), size),
    // The owner, whoever it is, can still look into it.
    (api, at) => api.chmod(at(one), 0o700 + (size % 64)),
    async (api, at) => kindOf(await api.stat(at(one))),
    async (api, at) => kindOf(await api.lstat(at(one))),
    async (api, at) => (await api.readdir(at(one))).sort(),
    (api, at) => withHandle(api, at(one), flag, text, position),
  ];
  return pick(kinds);
}

function kindOf(stats: nodeFs.Stats): object {
  const { mode, nlink, uid, gid } = stats;
  return { mode, nlink, uid, gid, size: stats.isFile() ? stats.size : undefined };
}

async function withHandle(
  api: Api,
  path: string,
  flag: string,
  text: string,
  position: number | null,
): Promise<unknown> {
  const handle = await api.open(path, flag);
  const results: unknown[] = [];
  const note = async (call: () => Promise<unknown>): Promise<void> => void results.push(await outcome(call));
  await note(async () => (await handle.write(text, position)).bytesWritten);
  await note(() => readUpTo(handle, 100, position));
  await note(() => handle.truncate(text.length >> 1));
  await note(
    async () =>
      (await handle.writev([Buffer.from('one'), Buffer.from('two')], position as number)).bytesWritten,
  );
  await note(() => handle.readFile('latin1'));
  await note(() => handle.appendFile('end'));
  await note(() => handle.datasync());
  await note(async () => kindOf(await handle.stat()));
  await handle.close();
  return results;
}

/** Reads until it has this many bytes, or the file ends: a single read may give fewer than there are. */
async function readUpTo(
  handle: nodeFs.promises.FileHandle,
  length: number,
  from: number | null,
): Promise<string> {
  const buffer = Buffer.alloc(length);
  let read = 0;
  for (let last = -1; last !== 0 && read < length; read += last) {
    const position = from === null ? null : from + read;
    ({ bytesRead: last } = await handle.read(buffer, read, length - read, position));
  }
  return `${read} ${buffer}`;
}

/** Everything below a folder: what it is, its mode and what it holds. */
function treeOf(path: string): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  for (const name of nodeFs.readdirSync(path, { recursive: true }) as string[]) {
    const stats = nodeFs.lstatSync(join(path, name));
    const content = stats.isFile()
      ? nodeFs.readFileSync(join(path, name), 'latin1')
      : stats.isSymbolicLink() && nodeFs.readlinkSync(join(path, name));
    tree[name] = { mode: stats.mode, nlink: stats.nlink, content };
  }
  return tree;
}

t.test('random operations, one after the other', async t => {
  const random = seededRandom(t);
  const places = { node: join(folder, 'node'), ours: join(folder, 'ours') };
  for (const place of Object.values(places)) nodeFs.mkdirSync(place);
  let same = 0;
  for (let i = 0; i < 1500; i++) {
    const call = operation(random);
    const run = async (api: Api, place: string): Promise<string> => {
      const result = await outcome(() =>
        call(api, name => join(place, name) + (name.endsWith('/') ? '/' : '')),
      );
      return JSON.stringify(result).replaceAll(place, '');
    };
    const expected = await run(node, places.node);
    const found = await run(ours, places.ours);
    if (found === expected) same++;
    else t.equal(found.slice(0, 500), expected.slice(0, 500), `${i}: ${call}`);
  }
  t.equal(same, 1500);
  t.strictSame(treeOf(places.ours), treeOf(places.node), 'what is left');
});

t.test('many random operations at once leave nothing behind', async t => {
  const random = seededRandom(t);
  const place = join(folder, 'at-once');
  nodeFs.mkdirSync(place);
  const calls = Array.from({ length: 1000 }, () => operation(random));
  const results = await Promise.all(calls.map(call => outcome(() => call(ours, name => join(place, name)))));
  for (const result of results as { error?: { code?: string } }[]) {
    // Nothing that is about us, rather than about the files.
    if (result.error !== undefined) t.match(result.error.code, /^E(?!RR_(?!FS_))/);
  }
});

t.test('a real tree, copied and walked', async t => {
  const source = join(ROOT, 'node_modules', 'koffi');
  const copy = join(folder, 'tree');
  const walk = async (from: string, to: string): Promise<void> => {
    await ours.mkdir(to);
    const entries = await ours.readdir(from, { withFileTypes: true });
    await Promise.all(
      entries.map(async entry => {
        const [path, target] = [join(from, entry.name), join(to, entry.name)];
        if (entry.isDirectory()) await walk(path, target);
        else if (entry.isSymbolicLink()) await ours.symlink(await ours.readlink(path), target);
        else await ours.writeFile(target, await ours.readFile(path), { mode: (await ours.stat(path)).mode });
      }),
    );
  };
  await walk(source, copy);
  const contents = (path: string): object => {
    const tree = treeOf(path) as Record<string, { content: unknown }>;
    return Object.fromEntries(Object.entries(tree).map(([name, { content }]) => [name, content]));
  };
  const [found, expected] = [contents(copy), contents(source)];
  t.ok(Object.keys(expected).length > 20);
  t.strictSame(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [name, content] of Object.entries(expected)) t.ok(found[name as never] === content, name);
});
