/**
 * The public API called at random, with arguments of all kinds: whatever fails fails with an error that says what is
 * wrong, every promise settles once what it waits on is closed, and nothing stays. UASYNC_CALLS says how many calls.
 */
import { EventEmitter } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import t from 'tap';
import * as uasync from 'uasync';
import * as fs from 'uasync/fs';
import * as http from 'uasync/http';
import * as net from 'uasync/net';
import { checkLeaks, scratchFolder, seededRandom, until } from './harness.js';
import { ROOT } from './programs.js';
import { Arguments, Thrown } from './random-arguments.js';

checkLeaks();

const CALLS = Number(process.env.UASYNC_CALLS ?? 10_000);
t.setTimeout(60_000 + CALLS * 20);
const folder = scratchFolder();
process.chdir(folder);
const HOST = '127.0.0.1';

/** What a call needs that is not made at random, or must not be: threads, descriptors, and what is outside. */
const LEFT_OUT = new Set([
  'constructor',
  // They take descriptors by number, or hand out those of the process.
  'openPipe',
  'openConnection',
  'stdin',
  'stdout',
  'stderr',
  // Errors, to be caught.
  'AbortError',
  'SendManyError',
  'UasyncError',
  // They change the process.
  'replaceGlobals',
  'signals',
  'serveOnThreads',
  'serveHttpOnThreads',
  // The loop is one for all; its raw entries have a fuzzer of their own.
  'loop',
  'availableBackend',
  // Node's own: watchers have no end, and `opendir` does not settle when its options throw.
  'watch',
  'opendir',
  'glob',
  // Node says by a warning that the promise must be awaited.
  'mkdtempDisposable',
]);

/** Something with methods that are called. */
interface Target {
  readonly name: string;
  readonly object: object;
  readonly methods: readonly string[];
  /** Calls that it has had. */
  calls: number;
  /** Ends it, so that all that waits on it settles. */
  end?: (() => unknown) | undefined;
}

const LISTING = readFileSync(join(ROOT, 'test/public-api.txt'), 'utf8');

/** What the listing of the public API says of a class: the names of its members. */
function listedOf(name: string): Set<string> {
  const found = new Set<string>();
  const blocks = LISTING.matchAll(new RegExp(`class (?:Http)?${name}\\b[^{]*\\{\\n((?: .*\\n)*)`, 'g'));
  for (const [, block] of blocks) {
    for (const [, member] of block!.matchAll(/^ {4}(?:static |readonly |get |set )*(\w+)/gm))
      found.add(member!);
  }
  return found;
}

function methodsOf(object: object): string[] {
  const names = new Set<string>(Object.getPrototypeOf(object) === null ? Object.keys(object) : []);
  let at: object | null = Object.getPrototypeOf(object);
  for (
    ;
    at !== null && at !== Object.prototype && at !== EventEmitter.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    const listed = listedOf(at.constructor.name);
    for (const key of Object.getOwnPropertyNames(at)) if (listed.has(key)) names.add(key);
  }
  return [...names].filter(name => !LEFT_OUT.has(name));
}

function target(name: string, object: object, end?: () => unknown): Target {
  return { name, object, methods: methodsOf(object), calls: 0, end };
}

/** What the platform's classes do not say by a code: Request, Response, Headers, and Node's paths that are detached. */
const PLATFORM = /^(?:Headers|Response|uasync\/http)\b/;

/** Node's own functions, which `uasync/fs` hands out as they are. */
const NODES = /^uasync\/fs\.(?:chown|copyFile|lchmod|lchown|lutimes|mkdtemp|statfs|utimes)$/;

/** Whether an error says what is wrong: it has a code, or is one that the platform's classes throw without. */
function isProper(error: unknown, what: string): boolean {
  if (error instanceof Thrown) return true;
  if (!(error instanceof Error)) return false;
  if (NODES.test(what)) return true;
  const { code, name, message } = error as { code?: unknown; name: string; message: string };
  if (typeof code === 'string' && code !== '') return true;
  if (/^(?:Abort|Timeout|DataClone)Error$/.test(name)) return true;
  if (/detached (?:or out-of-bounds )?ArrayBuffer/.test(message)) return true;
  // V8's own conversion of an argument.
  if (/^Cannot (?:convert|mix)/.test(message)) return true;
  return PLATFORM.test(what) && !/^Cannot (?:read|set)|is not a function/.test(message);
}

t.test(`${CALLS} calls at random`, async t => {
  const random = seededRandom(t);
  const objects: object[] = [{}];
  const args = new Arguments(random, objects);
  /** What is wrong, by what it is about. */
  const wrong = new Map<string, string>();
  const waiting = new Map<Promise<unknown>, string>();
  const told = (what: string, error: unknown): void => {
    if (!isProper(error, what) && wrong.size < 20) wrong.set(what, inspect(error));
  };
  const onUncaught = (error: unknown): void => {
    told('uncaught', error);
  };
  const onUnhandled = (error: unknown): void => {
    told('unhandled', error);
  };
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUnhandled);
  t.teardown(() => process.off('uncaughtException', onUncaught).off('unhandledRejection', onUnhandled));
  // Warnings about what is left to the garbage collector, and about options that are deprecated.
  const onWarning = (): void => {};
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));

  /** Ends what a call has made. */
  const dispose = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || value instanceof Error) return;
    const made = value as Record<string, (...args: unknown[]) => unknown>;
    if (objects.includes(value)) return;
    try {
      if (Array.isArray(value)) for (const one of value.slice(0, 10)) dispose(one);
      else if (typeof made.destroy === 'function') {
        made.on?.('error', () => {});
        made.destroy();
      } else if (typeof made.getReader === 'function') void (made.cancel!() as Promise<void>).catch(() => {});
      else if (typeof made.getWriter === 'function') void (made.abort!() as Promise<void>).catch(() => {});
      else if (typeof made.return === 'function') void Promise.resolve(made.return()).catch(() => {});
      else if (typeof made.reset === 'function') void Promise.resolve(made.reset()).catch(() => {});
      else if (typeof made.close === 'function') void Promise.resolve(made.close()).catch(() => {});
      else if (typeof made.stop === 'function')
        void Promise.resolve(made.stop({ timeout: 1 })).catch(() => {});
    } catch (error) {
      told('dispose', error);
    }
  };

  const watch = (what: string, promise: Promise<unknown>): void => {
    waiting.set(promise, what);
    promise.then(dispose, error => told(what, error)).finally(() => waiting.delete(promise));
  };

  // --- What is called -------------------------------------------------------------------------------

  const modules = [
    target('uasync', uasync),
    target('uasync/net', net),
    target('uasync/fs', fs),
    target('uasync/http', http),
  ];
  const makers: (() => Promise<Target[]>)[] = [
    async () => {
      const server = await net.listen({ port: 0, host: HOST });
      const accepting = server.accept();
      const { port } = server.address as net.InetAddress;
      const conns = [await net.connect({ port, host: HOST }), await accepting];
      return [
        target('Listener', server, () => server.close()),
        ...conns.map(conn => target('Connection', conn, () => conn.reset())),
      ];
    },
    async () => {
      const sockets = [await net.bind({ port: 0, host: HOST }), await net.bind({ port: 0, host: HOST })];
      return sockets.map(socket => target('DatagramSocket', socket, () => socket.close()));
    },
    async () => {
      const path = args.name;
      const directory = join(folder, 'd');
      // A call may have put anything there: a file, or a link to itself.
      if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
        rmSync(directory, { recursive: true, force: true });
        mkdirSync(directory);
      }
      const handle = await fs.open(path, 'a+').catch(() => fs.open('fallback', 'a+'));
      return [target('FileHandle', handle, () => handle.close())];
    },
    async () => {
      const ends = uasync.channelPair();
      const channels = ends.map(end => new uasync.Channel(end));
      return channels.map(channel => target('Channel', channel, () => channel.close()));
    },
    async () => {
      const server = await http.serve(() => new http.Response('x'), { port: 0, host: HOST });
      return [target('Server', server, () => server.stop({ timeout: 1 }))];
    },
    async () => [
      target('Headers', new http.Headers([['a', 'b']])),
      target('Response', new http.Response('some text')),
    ],
  ];
  const targets: Target[] = [...modules];

  const end = async (one: Target): Promise<void> => {
    targets.splice(targets.indexOf(one), 1);
    const at = objects.indexOf(one.object);
    if (at !== -1) objects.splice(at, 1);
    try {
      await one.end?.();
    } catch (error) {
      told(`the end of a ${one.name}`, error);
    }
  };

  const call = (one: Target): void => {
    const method = args.pick(one.methods);
    const what = `${one.name}.${method}`;
    one.calls++;
    try {
      const value = Reflect.get(one.object, method) as unknown;
      if (typeof value !== 'function') return;
      const list = args.list();
      // Nothing ends a sleep early but its signal.
      if (method === 'sleep' && typeof list[0] === 'number' && list[0] > 20) list[0] = 20;
      const result = /^class /.test(Function.prototype.toString.call(value))
        ? Reflect.construct(value, list)
        : Reflect.apply(value, one.object, list);
      if (result instanceof Promise) watch(what, result);
      else if (typeof result?.next === 'function' && typeof result[Symbol.asyncIterator] === 'function') {
        watch(`${what} next`, result.next());
        watch(`${what} return`, result.return());
      } else dispose(result);
    } catch (error) {
      told(what, error);
    }
  };

  // --- The calls ------------------------------------------------------------------------------------

  for (let calls = 0; calls < CALLS; calls++) {
    if (targets.length < 20) {
      const made = await args.pick(makers)();
      targets.push(...made);
      objects.push(...made.map(({ object }) => object));
    }
    const one = args.pick(targets);
    call(one);
    if (calls % 8 === 0) await new Promise(resolve => setImmediate(resolve));
    if (one.calls > 60 && !modules.includes(one)) void end(one);
    // What waits without an end is bounded.
    if (waiting.size > 500) {
      for (const old of targets.filter(other => !modules.includes(other))) await end(old);
      await until(() => waiting.size < 400);
    }
    if (calls % 5000 === 4999) {
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
  for (const one of targets.filter(other => !modules.includes(other))) await end(one);
  const limit = performance.now() + 30_000;
  await until(() => waiting.size === 0 || performance.now() > limit);
  for (const what of waiting.values()) told(`${what} never settles`, 'pending');
  t.strictSame([...wrong], []);
  t.equal(waiting.size, 0);
  const isIdle = (): boolean => uasync.loop().stats().inFlight === 0;
  await until(() => isIdle() || performance.now() > limit);
  t.strictSame(uasync.loop().active(), [], 'nothing is in flight');
});
