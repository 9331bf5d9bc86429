/** The measured servers, and their command lines. */
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { compile, script, sourceFile } from './compile.js';
import { installedNode, isThisNode } from './node-versions.js';
import { NotInstalled } from './scenario.js';

/** A server that takes a port and a host, and prints `listening on HOST:PORT`. */
export interface Peer {
  name: string;
  /** Its command line; throws NotInstalled with the missing component. */
  command(): string[];
}

/** Runtimes that `npm run bench:setup` installs into benchmark/node_modules. */
export const RUNTIMES = {
  bun: { x64: '@oven/bun-linux-x64@1.4.5', arm64: '@oven/bun-linux-aarch64@1.4.5' },
  deno: { x64: '@deno/linux-x64-glibc@2.9.6', arm64: '@deno/linux-arm64-glibc@2.9.6' },
} as const;

/** Packages of peers, which it installs there too. */
export const PACKAGES: Record<string, string> = {
  '@hono/node-server': '@hono/node-server@2.1.9',
  srvx: 'srvx@1.0.8',
};

/** The npm package of a runtime for this machine, as `name@version`. */
export function runtimePackage(runtime: keyof typeof RUNTIMES): string {
  return RUNTIMES[runtime][process.arch === 'arm64' ? 'arm64' : 'x64'];
}

function runtime(name: keyof typeof RUNTIMES, binary: string): string {
  const [folder] = runtimePackage(name).split(/(?<=.)@/);
  const path = sourceFile(`benchmark/node_modules/${folder}/${binary}`);
  if (!existsSync(path)) throw new NotInstalled('npm run bench:setup installs it');
  return path;
}

/** A program of Node that needs one of PACKAGES. */
function nodeWith(name: string, source: string): string[] {
  if (!existsSync(sourceFile(`benchmark/node_modules/${name}`))) {
    throw new NotInstalled('npm run bench:setup installs it');
  }
  return node(source);
}

export function node(source: string, ...args: string[]): string[] {
  return [process.execPath, script(source), ...args];
}

/** As `node`, by another version of Node. */
export function nodeOf(version: string, source: string, ...args: string[]): string[] {
  const program = isThisNode(version) ? process.execPath : installedNode(version);
  if (program === undefined) throw new NotInstalled('npm run bench:setup installs it');
  return [program, script(source), ...args];
}

/** A program for Node's own modules, which `uasync/register` puts on uasync. */
export function registered(modules: string, source: string): string[] {
  const [program, ...rest] = node(source);
  const preload = pathToFileURL(sourceFile('dist/bundle/register.js')).href;
  return ['env', `UASYNC_REGISTER=${modules}`, program!, '--import', preload, ...rest];
}

export function bun(source: string, ...args: string[]): string[] {
  return [runtime('bun', 'bin/bun'), script(source), ...args];
}

export function deno(source: string, ...args: string[]): string[] {
  const flags = ['--no-config', '--no-npm', '--unstable-net', '--allow-all'];
  return [runtime('deno', 'deno'), 'run', ...flags, script(source), ...args];
}

/** The same program on epoll, as where io_uring is denied. */
export function onEpoll(command: string[]): string[] {
  return ['env', 'UASYNC_BACKEND=epoll', ...command];
}

/** A program on uasync, by itself and on epoll. */
export function onBoth(command: () => string[]): Peer[] {
  return [
    { name: 'uasync', command },
    { name: 'uasync-epoll', command: () => onEpoll(command()) },
  ];
}

export const TCP_PEERS: Peer[] = [
  { name: 'c-uring', command: () => [compile('benchmark/peers/tcp/uring.c', 'uring')] },
  { name: 'c-epoll', command: () => [compile('benchmark/peers/tcp/epoll.c')] },
  { name: 'c-libuv', command: () => [compile('benchmark/peers/tcp/libuv.c', 'uv')] },
  ...onBoth(() => node('examples/tcp-echo.ts')),
  { name: 'node', command: () => node('benchmark/peers/tcp/node-callback.ts') },
  { name: 'register', command: () => registered('net', 'benchmark/peers/tcp/node-callback.ts') },
  { name: 'node-pipe', command: () => node('benchmark/peers/tcp/node-pipe.ts') },
  { name: 'node-await', command: () => node('benchmark/peers/tcp/node-await.ts') },
  { name: 'bun', command: () => bun('benchmark/peers/tcp/bun.ts') },
  { name: 'bun-node', command: () => bun('benchmark/peers/tcp/node-callback.ts') },
  { name: 'deno', command: () => deno('benchmark/peers/tcp/deno.ts') },
  { name: 'go', command: () => [compile('benchmark/peers/tcp/echo.go')] },
];

/** A server that polls instead of sleeping, which matters at low rates. */
export const TCP_BUSY: Peer = {
  name: 'uasync-busy',
  command: () => node('benchmark/peers/tcp/uasync-busy.ts'),
};

/** Other ways to write the server on uasync, which matter with long messages. */
export const TCP_WAYS: Peer[] = [
  { name: 'uasync-pipe', command: () => node('benchmark/peers/tcp/uasync-pipe.ts') },
  { name: 'uasync-pinned', command: () => node('benchmark/peers/tcp/uasync-pinned.ts') },
];

export const UDP_PEERS: Peer[] = [
  { name: 'c-uring', command: () => [compile('benchmark/peers/udp/uring.c', 'uring')] },
  { name: 'c-mmsg', command: () => [compile('benchmark/peers/udp/mmsg.c')] },
  ...onBoth(() => node('examples/udp-echo.ts')),
  { name: 'uasync-many', command: () => node('benchmark/peers/udp/uasync-many.ts') },
  { name: 'node', command: () => node('benchmark/peers/udp/node-dgram.ts') },
  { name: 'register', command: () => registered('dgram', 'benchmark/peers/udp/node-dgram.ts') },
  { name: 'bun', command: () => bun('benchmark/peers/udp/bun.ts') },
  { name: 'bun-node', command: () => bun('benchmark/peers/udp/node-dgram.ts') },
  { name: 'deno', command: () => deno('benchmark/peers/udp/deno.ts') },
  { name: 'go', command: () => [compile('benchmark/peers/udp/echo.go')] },
];

export const HTTP_PEERS: Peer[] = [
  ...onBoth(() => node('benchmark/peers/http/uasync-fetch.ts')),
  { name: 'uasync-node', command: () => node('benchmark/peers/http/uasync-http.ts') },
  { name: 'uasync-bare', command: () => node('examples/http-hello.ts') },
  { name: 'node', command: () => node('benchmark/peers/http/node-http.ts') },
  { name: 'register', command: () => registered('net', 'benchmark/peers/http/node-http.ts') },
  { name: 'bun', command: () => bun('benchmark/peers/http/bun.ts') },
  { name: 'bun-node', command: () => bun('benchmark/peers/http/node-http.ts') },
  { name: 'deno', command: () => deno('benchmark/peers/http/deno.ts') },
  { name: 'go', command: () => [compile('benchmark/peers/http/hello.go')] },
];

/** Another server for `fetch` handlers, on node:http. */
export const SRVX: Peer = { name: 'srvx', command: () => nodeWith('srvx', 'benchmark/peers/http/srvx.ts') };

/** Servers that parse requests, and answer with JSON. */
export const HTTP_JSON_PEERS: Peer[] = [
  ...onBoth(() => node('benchmark/peers/http/json-uasync.ts')),
  { name: 'node', command: () => node('benchmark/peers/http/json-node.ts') },
  { name: 'bun', command: () => bun('benchmark/peers/http/json-bun.ts') },
  { name: 'deno', command: () => deno('benchmark/peers/http/json-deno.ts') },
];

/** Servers that stream large bodies. */
export const HTTP_BODY_PEERS: Peer[] = [
  ...onBoth(() => node('benchmark/peers/http/bodies-uasync.ts')),
  { name: 'node', command: () => node('benchmark/peers/http/bodies-node.ts') },
  { name: 'register', command: () => registered('net', 'benchmark/peers/http/bodies-node.ts') },
  { name: 'bun', command: () => bun('benchmark/peers/http/bodies-bun.ts') },
  { name: 'deno', command: () => deno('benchmark/peers/http/bodies-deno.ts') },
  { name: 'go', command: () => [compile('benchmark/peers/http/bodies.go')] },
];

/** Servers of the files of a folder. */
export function httpFilePeers(folder: () => string): Peer[] {
  return [
    ...onBoth(() => node('benchmark/peers/http/files-uasync.ts', folder())),
    { name: 'node', command: () => node('benchmark/peers/http/files-node.ts', folder()) },
    { name: 'bun', command: () => bun('benchmark/peers/http/files-bun.ts', folder()) },
    { name: 'go', command: () => [compile('benchmark/peers/http/files.go'), folder()] },
  ];
}

/** Servers of an application of Hono. */
export const HONO_PEERS: Peer[] = [
  ...onBoth(() => node('benchmark/peers/http/hono-uasync.ts')),
  { name: 'node', command: () => nodeWith('@hono/node-server', 'benchmark/peers/http/hono-node.ts') },
  { name: 'bun', command: () => bun('benchmark/peers/http/hono-bun.ts') },
];

/** Servers of an application of Fastify. */
export const FASTIFY_PEERS: Peer[] = [
  ...onBoth(() => node('benchmark/peers/http/fastify-uasync.ts')),
  { name: 'node', command: () => node('benchmark/peers/http/fastify-node.ts') },
  { name: 'register', command: () => registered('net', 'benchmark/peers/http/fastify-node.ts') },
];

/** Their names in tables. */
export const TITLES: Record<string, string> = {
  'c-uring': 'C io_uring',
  'c-epoll': 'C epoll',
  'c-libuv': 'C libuv',
  'c-mmsg': 'C recvmmsg',
  c: 'C, system calls',
  'uasync-epoll': 'uasync (epoll)',
  'uasync-pipe': 'uasync, pipeTo',
  'uasync-pinned': 'uasync, pinned',
  'uasync-lease': 'uasync, leased',
  'uasync-busy': 'uasync, busyPoll',
  'uasync-many': 'uasync, in batches',
  'uasync-bare': 'uasync, no node:http',
  'uasync-node': 'uasync, node:http',
  'uasync-cached': 'uasync, compile cache',
  node: 'Node',
  register: 'Node, register',
  'node-pipe': 'Node, pipe',
  'node-await': 'Node, await',
  'node-sync': 'Node, sync',
  'node-tick': 'Node, nextTick',
  bun: 'Bun',
  'bun-node': 'Bun, Node API',
  deno: 'Deno',
  go: 'Go',
};

export function titleOf(peer: string): string {
  const [, whose, version] = /^(uasync|node)-(\d+)$/.exec(peer) ?? [];
  if (version !== undefined) return whose === 'node' ? `Node ${version}` : `uasync, ${version}`;
  return TITLES[peer] ?? peer;
}
