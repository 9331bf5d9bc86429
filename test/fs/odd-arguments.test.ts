/**
 * Every export of uasync/fs and every call of a handle, with each argument replaced by values of every odd kind.
 * Whatever fails says so with a code; where Node has the call and fails with a code, with Node's.
 */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import * as fs from 'uasync/fs';
import { FileHandle } from '../../src/fs/handle/file-handle.js';
import { checkLeaks, remove, scratchFolder } from '../harness.js';
import type { Any } from './agreement.js';
import { node, ours } from './beside-node.js';

const folder = scratchFolder();
checkLeaks();

const nodeMajor = Number.parseInt(process.versions.node, 10);

/** What a value's own code throws is passed on as it is. */
const OWN = new Error("the value's own");

function throwOwn(): never {
  throw OWN;
}

function detach(view: ArrayBufferView): ArrayBufferView {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
  return view;
}

/** What ES2024 has, and the library of types here has not. */
interface Resizable extends ArrayBuffer {
  resize(length: number): void;
}

function resizable(): Resizable {
  const Memory = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => Resizable;
  return new Memory(8, { maxByteLength: 16 });
}

/** A view that ends beyond its buffer. */
function shrunk(): ArrayBufferView {
  const buffer = resizable();
  const view = new Uint8Array(buffer, 4, 4);
  buffer.resize(2);
  return view;
}

const OPTION_NAMES =
  'autoClose bigint buffer concurrency create encoding end flag flush highWaterMark lease length mode offset ' +
  'position readAhead recursive size start';

const getters = Object.defineProperties(
  {},
  Object.fromEntries([...OPTION_NAMES.split(' '), 'signal', 'href'].map(name => [name, { get: throwOwn }])),
);
const proxy = new Proxy({}, { get: throwOwn, has: throwOwn, ownKeys: throwOwn });

/** Values of every kind, made anew for each call. */
const VALUES: Record<string, () => unknown> = {
  ...{ undefined: () => undefined, null: () => null, true: () => true, false: () => false },
  ...{ 0: () => 0, 1: () => 1, '-1': () => -1, 1.5: () => 1.5, NaN: () => Number.NaN, '2^53': () => 2 ** 53 },
  ...{ infinite: () => Number.POSITIVE_INFINITY, '2^32': () => 2 ** 32, '5n': () => 5n, '-2n': () => -2n },
  ...{ '': () => '', x: () => 'x', NUL: () => 'a\0b', quote: () => "it's", long: () => 'l'.repeat(40) },
  ...{
    symbol: () => Symbol('s'),
    function: () => () => {},
    '{}': () => ({}),
    '[]': () => [],
    '[null]': () => [null],
  },
  ...{ bare: () => Object.create(null), date: () => new Date(0), promise: () => Promise.resolve(1) },
  ...{
    'odd constructor': () => ({ constructor: { name: Symbol('n') } }),
    getters: () => getters,
    proxy: () => proxy,
  },
  ...{ 'a hole': () => new Array(1), detached: () => detach(new Uint8Array(8)), shrunk },
  'detached DataView': () => detach(new DataView(new ArrayBuffer(8))),
  '[detached]': () => [detach(Buffer.alloc(9000)), shrunk(), detach(new DataView(new ArrayBuffer(8)))],
  'no bytes': () => new Uint8Array(0),
  shared: () => new Uint8Array(new SharedArrayBuffer(4)),
  resizable: () => new Uint8Array(resizable()),
  memory: () => new ArrayBuffer(4),
  view: () => new DataView(new ArrayBuffer(4)),
  words: () => new Float64Array(1),
};

const OPTIONS: Record<string, () => unknown> = {
  '{ buffer: detached }': () => ({ buffer: detach(new Uint8Array(8)) }),
};
for (const name of OPTION_NAMES.split(' ')) {
  for (const value of [null, {}, Symbol('s'), -1]) {
    OPTIONS[`{ ${name}: ${String(value)} }`] = () => ({ [name]: value });
  }
}
for (const value of [null, {}, 5]) OPTIONS[`{ signal: ${value} }`] = () => ({ signal: value });

/** Arguments that are right: 'F' is a file, 'N' no file yet, 'D' a folder, 'L' a link, 'B' a buffer, 'H' a handle. */
const CALLS: Record<string, unknown[]> = {
  access: ['F', 4],
  appendFile: ['F', 'text', 'utf8'],
  chmod: ['F', 0o600],
  cp: ['F', 'N', {}],
  getxattr: ['F', 'user.a'],
  link: ['F', 'N'],
  lstat: ['F', {}],
  mkdir: ['N', {}],
  mkdtemp: ['N', {}],
  open: ['F', 'r', 0o666],
  readFile: ['F', 'utf8'],
  readMany: [['F'], {}],
  readdir: ['D', {}],
  readlink: ['L', {}],
  realpath: ['F', {}],
  rename: ['F', 'N'],
  rm: ['F', {}],
  rmdir: ['D', undefined],
  setxattr: ['F', 'user.a', 'v', {}],
  stat: ['F', {}],
  statMany: [['F'], {}],
  symlink: ['F', 'N', 'file'],
  truncate: ['F', 2],
  unlink: ['F'],
  writeFile: ['F', 'text', 'utf8'],
};

const HANDLE_CALLS: Record<string, unknown[]> = {
  appendFile: ['text', 'utf8'],
  chmod: [0o600],
  chown: [0, 0],
  chunks: [{}],
  copyTo: ['H', {}],
  createReadStream: [{}],
  createWriteStream: [{}],
  fadvise: ['normal', 0, 0],
  fallocate: [0, 4, 0],
  getxattr: ['user.a'],
  read: ['B', 0, 4, 0],
  readFile: ['utf8'],
  readLines: [{}],
  readableWebStream: [{}],
  readv: [['B'], 0],
  setxattr: ['user.a', 'v', {}],
  stat: [{}],
  truncate: [1],
  utimes: [1, 1],
  write: ['B', 0, 4, 0],
  writeFile: ['text', 'utf8'],
  writev: [['B'], 0],
};
const WITHOUT_ARGUMENTS = ['constructor', 'datasync', 'directAlignment', 'sync'];

/** A folder for each of the two, as it is before every call. */
function fresh(which: string): string {
  const at = join(folder, which);
  nodeFs.mkdirSync(join(at, 'D'), { recursive: true });
  for (const name of ['N', 'F']) remove(join(at, name));
  nodeFs.chmodSync(join(at, 'D'), 0o755);
  nodeFs.writeFileSync(join(at, 'F'), 'some text');
  if (!nodeFs.existsSync(join(at, 'L'))) nodeFs.symlinkSync('F', join(at, 'L'));
  return at;
}

function filled(argument: unknown, at: string, handle?: unknown): unknown {
  if (Array.isArray(argument)) return argument.map(one => filled(one, at, handle));
  if (argument === 'B') return Buffer.alloc(8);
  if (argument === 'H') return handle;
  return typeof argument === 'string' && /^[FNDL]$/.test(argument) ? join(at, argument) : argument;
}

/** 'done', or what it failed with. */
async function result(call: () => Any): Promise<string> {
  try {
    const value = await call();
    if (typeof value?.read === 'function' && typeof value?.close === 'function' && !value.pipe)
      await value.close();
    else if (value instanceof Readable) await value.destroy();
    else if (typeof value?.next === 'function') for await (const _ of value);
    return 'done';
  } catch (error) {
    if (error === OWN) return 'own';
    return `${(error as NodeJS.ErrnoException)?.code ?? `no code: ${(error as Error)?.stack ?? error}`}`;
  }
}

/** Calls in which Node aborts the process, or never ends. */
function spared(name: string, i: number, what: string): boolean {
  if (name === 'read' || name === 'write') return i === 2 || what.startsWith('{ length');
  return /Stream|readLines/.test(name);
}

/** Calls that Node's own functions do where their arguments are not plain. */
const BY_NODE = /^(access|chmod|cp|mkdtemp|readdir|readlink|realpath|rm|handle\.(chmod|chown|utimes)) /;

/** Where ours differs on purpose, and why. */
const DELIBERATE: [which: RegExp, reason: string][] = [];
if (nodeMajor < 22) {
  const reason = 'Node 20 took what is no position for the current one; later ones and ours refuse it';
  DELIBERATE.push([/^handle.read (3 |\d \{ position)/, reason]);
}
if (nodeMajor >= 26) {
  const reason = 'Node 26 takes a detached buffer for an empty one; earlier ones and ours refuse it';
  DELIBERATE.push([/^(append|write)File 1 detached/, reason]);
}

/** Without the stack, which has the caller in Node too. */
function firstLine(result: string | undefined): string | undefined {
  return result?.split('\n')[0];
}

/** What is wrong with how a call of ours ended; undefined if nothing is. */
function fault(what: string, mine: string, theirs: string | undefined): string | undefined {
  if (mine.startsWith('no code'))
    return BY_NODE.test(what) && firstLine(mine) === firstLine(theirs) ? undefined : `${what}: ${mine}`;
  if (theirs === undefined || theirs.startsWith('no code') || mine === theirs) return undefined;
  if (DELIBERATE.some(([which]) => which.test(what)) && /^(ERR_|own$)/.test(mine)) return undefined;
  return `${what}: ${mine} where Node says ${theirs}`;
}

t.test('the tables have every export, and every call of a handle', async t => {
  // Where it is Node's own function there is nothing to compare.
  const exported = Object.keys(fs).filter(name => ours[name as never] !== node[name as never]);
  t.strictSame(exported.sort(), [...Object.keys(CALLS), 'default'].sort());
  const calls = Object.getOwnPropertyNames(FileHandle.prototype);
  t.strictSame(calls.sort(), [...Object.keys(HANDLE_CALLS), ...WITHOUT_ARGUMENTS].sort());
});

/** Values for one argument: those that are options only where options may be. */
function valuesFor(right: unknown): [what: string, make: () => unknown][] {
  const options = right === undefined || right === 'utf8' || right === 'B' || isPlain(right);
  return Object.entries(options ? { ...VALUES, ...OPTIONS } : VALUES);
}

function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

for (const [name, right] of Object.entries(CALLS)) {
  t.test(`${name}: every argument`, async t => {
    const faults: unknown[] = [];
    for (const i of right.keys()) {
      for (const [what, make] of valuesFor(right[i])) {
        const results: (string | undefined)[] = [];
        for (const api of [node, ours] as Any[]) {
          const at = fresh(api === node ? 'node' : 'ours');
          const given = right.map(argument => filled(argument, at));
          given[i] = make();
          const passed = api === node && (api[name] === undefined || spared(name, i, what));
          // Of values that are taken for relative paths nothing is left elsewhere.
          process.chdir(at);
          results.push(passed ? undefined : await result(() => api[name](...given)));
        }
        faults.push(fault(`${name} ${i} ${what}`, results[1]!, results[0]));
      }
    }
    t.ok(faults.length > 20);
    t.strictSame(faults.filter(Boolean), []);
  });
}

for (const [name, right] of Object.entries(HANDLE_CALLS)) {
  t.test(`handle.${name}: every argument`, async t => {
    const faults: unknown[] = [];
    for (const i of right.keys()) {
      for (const [what, make] of valuesFor(right[i])) {
        const results: (string | undefined)[] = [];
        for (const api of [node, ours] as Any[]) {
          const handle = await api.open(join(fresh(api === node ? 'node' : 'ours'), 'F'), 'r+');
          const given = right.map(argument => filled(argument, '', handle));
          given[i] = make();
          const passed = api === node && (handle[name] === undefined || spared(name, i, what));
          results.push(passed ? undefined : await result(() => handle[name](...given)));
          await handle.close();
        }
        faults.push(fault(`handle.${name} ${i} ${what}`, results[1]!, results[0]));
      }
    }
    t.ok(faults.length > 20);
    t.strictSame(faults.filter(Boolean), []);
  });
}

/** More than is read at once, before the call returns. */
const SIZE = 600_000;

t.test('buffers that are detached or resized while a call is pending: the bytes go nowhere else', async t => {
  const handle = await ours.open(process.execPath);
  const moved = (view: ArrayBufferView): void => void detach(view);
  const made: Record<string, () => ArrayBufferView> = {
    bytes: () => new Uint8Array(SIZE),
    words: () => new Float64Array(SIZE / 8),
    view: () => new DataView(new ArrayBuffer(SIZE)),
  };
  for (const [what, make] of Object.entries(made)) {
    const calls: Record<string, (view: ArrayBufferView) => Promise<unknown>> = {
      read: view => handle.read(view as Buffer, 0, null, 0),
      readv: view => handle.readv([Buffer.alloc(5), view as Buffer, Buffer.alloc(5)], 0),
      'read at the current position': view => handle.read(view as Buffer),
    };
    for (const [name, call] of Object.entries(calls)) {
      const view = make();
      const reading = call(view);
      moved(view);
      await t.rejects(reading, { code: 'ERR_INVALID_STATE' }, `${name}: ${what}`);
    }
  }
  // The first one is smaller by now, the second larger: no byte of the one goes into the other.
  const [first, second] = [resizable(), resizable()];
  const reading = handle.readv([new Uint8Array(first), new Uint8Array(second)], 0);
  first.resize(2);
  second.resize(16);
  await t.rejects(reading, { code: 'ERR_INVALID_STATE' });
  t.strictSame([...new Uint8Array(second)], new Array(16).fill(0));
  // A list that is changed meanwhile is not looked at again.
  const list = [Buffer.alloc(4), Buffer.alloc(4)];
  const [third] = list;
  const listed = handle.readv(list, 0);
  list.length = 0;
  t.equal((await listed).bytesRead, 8);
  t.equal(third!.toString('latin1'), '\x7fELF');
  await handle.close();
});
