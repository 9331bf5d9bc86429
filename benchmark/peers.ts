/** The echo servers that are measured, and how each is started. */
import { existsSync } from 'node:fs';
import { compile, script, sourceFile } from './compile.js';

/** An echo server that takes a port and a host, and says `listening on HOST:PORT`. */
export interface Peer {
  name: string;
  /** Its command line; throws an Error that says what is missing. */
  command(): string[];
}

/** What is installed into benchmark/node_modules, by `npm run bench:setup`. */
export const RUNTIMES = {
  bun: { x64: '@oven/bun-linux-x64@1.4.5', arm64: '@oven/bun-linux-aarch64@1.4.5' },
  deno: { x64: '@deno/linux-x64-glibc@2.9.6', arm64: '@deno/linux-arm64-glibc@2.9.6' },
} as const;

/** The npm package of a runtime for this machine, as `name@version`. */
export function runtimePackage(runtime: keyof typeof RUNTIMES): string {
  return RUNTIMES[runtime][process.arch === 'arm64' ? 'arm64' : 'x64'];
}

function runtime(name: keyof typeof RUNTIMES, binary: string): string {
  const [folder] = runtimePackage(name).split(/(?<=.)@/);
  const path = sourceFile(`benchmark/node_modules/${folder}/${binary}`);
  if (!existsSync(path)) throw new Error('not installed: npm run bench:setup');
  return path;
}

/** The yardstick: ratios are to it. */
export const YARDSTICK = 'C io_uring';

export const STREAM_PEERS: Peer[] = [
  { name: YARDSTICK, command: () => [compile('benchmark/peers/echo-uring.c', 'uring')] },
  { name: 'uasync', command: () => [process.execPath, script('examples/tcp-echo.ts')] },
  { name: 'Bun', command: () => [runtime('bun', 'bin/bun'), script('benchmark/peers/bun-native.ts')] },
  {
    name: 'Deno',
    command: () => [
      runtime('deno', 'deno'),
      ...['run', '--no-config', '--no-npm', '--allow-net', script('benchmark/peers/deno.ts')],
    ],
  },
  { name: 'Node', command: () => [process.execPath, script('benchmark/peers/node-net.ts')] },
  { name: 'Go', command: () => [compile('benchmark/peers/echo.go')] },
  { name: 'C epoll', command: () => [compile('benchmark/peers/echo-epoll.c')] },
];
