/** How the sources import each other: folders only from those below them, and no file in a circle. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import * as realTimers from '../src/loop/real-timers.js';
import { ROOT } from './programs.js';
import './patience.js';

const BELOW: Record<string, readonly string[]> = {
  sys: [],
  ring: ['sys'],
  soft: ['sys', 'ring'],
  loop: ['sys', 'ring', 'soft'],
  net: ['sys', 'ring', 'loop'],
  fs: ['sys', 'ring', 'loop'],
  threads: ['sys', 'ring', 'loop', 'net'],
  node: ['sys', 'ring', 'loop', 'net', 'fs'],
  http: ['sys', 'ring', 'loop', 'net', 'fs', 'threads', 'node'],
  doctor: ['sys', 'ring', 'loop', 'net', 'fs', 'node'],
};

/** The folders in each of them, likewise. The files beside them are for all, but for what loads these. */
const ROOMS_BELOW: Record<string, Record<string, readonly string[]>> = {
  sys: {
    abi: [],
    errors: ['abi'],
    check: ['abi', 'errors'],
    libc: ['abi', 'errors'],
    memory: ['abi', 'errors', 'check', 'libc'],
    calls: ['abi', 'check', 'libc', 'memory'],
    socket: ['abi', 'errors', 'check', 'libc', 'memory'],
  },
  ring: {
    abi: [],
    sqe: ['abi'],
    setup: ['abi'],
    queue: ['abi', 'sqe', 'setup'],
    registered: ['abi', 'setup', 'queue'],
  },
  soft: {
    operations: [],
    faults: ['operations'],
  },
  loop: {
    memory: [],
    operation: [],
    backend: ['memory'],
    waiting: ['memory', 'operation'],
    raw: ['operation', 'waiting'],
    turns: ['operation', 'backend', 'waiting'],
    closing: ['operation', 'backend'],
  },
  net: {
    address: [],
    socket: ['address'],
    stream: ['address', 'socket'],
    datagram: ['address', 'socket', 'stream'],
    pipe: ['address', 'socket', 'stream'],
    listen: ['address', 'socket', 'stream'],
  },
  fs: {
    inline: [],
    paths: ['inline'],
    trees: ['inline', 'paths'],
    handle: ['inline', 'paths'],
    whole: ['inline', 'paths', 'handle'],
  },
  http: {
    input: [],
    transport: ['input'],
    output: ['transport'],
    message: ['input', 'transport', 'output'],
    static: ['input', 'transport', 'output', 'message'],
    server: ['input', 'transport', 'output', 'message'],
  },
  node: {
    stream: [],
    bridges: ['stream'],
    datagram: ['bridges'],
    files: [],
  },
};
const LOAD_ALL = [
  ...[
    'ring/index.ts',
    'ring/ring.ts',
    'soft/host.ts',
    'soft/handlers.ts',
    'soft/soft-ring.ts',
    'soft/soft-backend.ts',
  ],
  ...['index.ts', 'loop.ts', 'event-loop.ts', 'loop-resources.ts', 'loop-stats.ts', 'current.ts'].map(
    name => `loop/${name}`,
  ),
  ...['net/index.ts', 'fs/index.ts', 'fs/api.ts', 'http/index.ts', 'http/options.ts'],
  ...['node/net.ts', 'node/net-parts.ts', 'node/dgram.ts', 'node/ready.ts', 'node/register.ts'],
];

/** `uasync/net` shows what src/threads has for servers. */
const SHOWS_MORE = 'net/index.ts';

/** The text of each source, without comments. */
function sources(): [file: string, text: string][] {
  const files = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' });
  return files
    .filter(name => name.endsWith('.ts'))
    .map(file => [
      file,
      readFileSync(join(`${ROOT}src`, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''),
    ]);
}

/** The sources, and which others each imports. */
function imports(): Map<string, string[]> {
  const folder = `${ROOT}src`;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.ts'),
  );
  return new Map(
    files.map(file => {
      const text = readFileSync(join(folder, file), 'utf8');
      const found = [...text.matchAll(/(?:from|import) '(\.[^']*)\.js'/g)];
      return [file, found.map(([, path]) => join(dirname(file), `${path}.ts`))];
    }),
  );
}

t.test('a folder imports only from those below it', async t => {
  const files = imports();
  t.ok(files.size > 100, `${files.size} files`);
  for (const [file, others] of files) {
    const [folder, room] = dirname(file).split('/') as [string, string | undefined];
    if (folder === '.' || file === SHOWS_MORE) continue;
    for (const other of others) {
      const from = dirname(other).split('/')[0]!;
      t.ok(from === folder || BELOW[folder]!.includes(from), `${file} imports ${other}`);
      const rooms = ROOMS_BELOW[folder];
      const [, otherRoom] = dirname(other).split('/');
      if (rooms === undefined || from !== folder || otherRoom === room || otherRoom === undefined) continue;
      const allowed = room !== undefined && rooms[room]!.includes(otherRoom);
      t.ok(allowed || LOAD_ALL.includes(file), `${file} imports ${other}`);
    }
  }
});

/** How the loop has the kernel's ring as its backend, and how it reads the flags of completions. */
const KNOWS_ABI =
  /^(ring|soft|doctor)\/|^loop\/(backend\/(ring-backend|ring-wake-up|fitting-ring)|operation\/completion)\.ts$/;

t.test('nothing outside src/ring and src/soft knows the ABI of io_uring', async t => {
  for (const [file, text] of sources()) {
    if (!KNOWS_ABI.test(file)) t.notMatch(text, /ring\/abi\/io-uring\.js'|\b(?:OP|SQE|CQE)_[A-Z]/, file);
    // What an entry is made of: fields, words and where they are.
    if (!/^(sys|ring|soft)\//.test(file)) t.notMatch(text, /\.prep\(|\bSQE\.|words\[at|\.words\[0\]/, file);
  }
});

t.test('no file is longer than 400 lines', async t => {
  for (const [file] of sources()) {
    const { length } = readFileSync(join(`${ROOT}src`, file), 'utf8').split('\n');
    t.ok(length <= 401, `${file}: ${length - 1} lines`);
  }
});

t.test('no files import each other in a circle, not even for types', async t => {
  const files = imports();
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (done.has(file)) return;
    t.notOk(path.includes(file), [...path, file].join(' -> '));
    if (path.includes(file)) return;
    for (const other of files.get(file)!) visit(other, [...path, file]);
    done.add(file);
  };
  for (const file of files.keys()) visit(file, []);
});

t.test('timers, queues and clocks are those of real-timers.ts, which no test runner fakes', async t => {
  const names = Object.keys(realTimers).filter(name => name in globalThis);
  t.ok(names.includes('setImmediate') && names.includes('queueMicrotask'), names.join());
  // A method may have such a name.
  const used = new RegExp(`(?<![.#\\w])(?:${names.join('|')})\\b(?!\\(ms: number)`, 'g');
  const faked = /process\.(?:nextTick|hrtime)|\bperformance\b|\bglobalThis\b|\bDate[.(]|node:timers/;
  for (const [file, text] of sources()) {
    if (file === 'loop/real-timers.ts') continue;
    const imported = /import \{([^}]*)\} from '[./a-z]*\/real-timers\.js'/.exec(text)?.[1] ?? '';
    const code = text.replace(/'(?:\\.|[^'\\\n])*'|`[^`]*`/g, '');
    const missing = code.match(used)?.filter(name => !new RegExp(`\\b${name}\\b`).test(imported));
    t.same(missing ?? [], [], `${file} imports them`);
    t.notMatch(code, faked, `${file} uses none of the global ones`);
  }
});

t.test(
  'no object is told by a class of its realm: objects of a vm context, as in jest, have others',
  async t => {
    for (const [file, text] of sources()) {
      // What parseArgs throws is of this realm.
      if (file === 'cli.ts') continue;
      const classes = [...text.matchAll(/instanceof (\w+)/g)].map(([, name]) => name!);
      t.same(
        classes.filter(name => name in globalThis),
        [],
        `${file} asks node:util/types`,
      );
    }
  },
);

t.test(
  'no getter or setter is private: V8 calls its runtime for each use, which costs as much as a small system call',
  async t => {
    for (const [file, text] of sources()) t.notMatch(text, /^\s*(?:static )?(?:get|set) #/m, file);
  },
);
