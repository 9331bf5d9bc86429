/** The declarations that are shipped, as a strict user of TypeScript sees them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './programs.js';
import './patience.js';

// Inside the project, so that its own name resolves.
const folder = join(ROOT, 'dist', `types-${process.pid}`);
mkdirSync(folder);
t.teardown(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { Channel, type Loop, loop, signals, sleep } from 'uasync';
import type { FileHandle as NodeFileHandle } from 'node:fs/promises';
import fs, { open, readFile } from 'uasync/fs';
import * as everything from 'uasync/fs';
import { bind, type Connection, connect, listen, openPipe, serveOnThreads, type ThreadContext } from 'uasync/net';
import { Ring } from 'uasync/ring';

const drop: typeof import('node:fs/promises') = fs;
const namespace: typeof import('node:fs/promises') = everything;
async function nodes(handle: NodeFileHandle): Promise<string> {
  return handle.readFile('utf8');
}
async function handles(): Promise<void> {
  await using file = await open('x');
  for await (const chunk of file.chunks({ lease: true })) console.log(chunk.length satisfies number);
  await file.write(new DataView(new ArrayBuffer(3)));
  const text: string = await fs.readFile(file, 'utf8');
  const bytes: Uint8Array = await fs.readFile('x');
  const size: bigint = (await fs.stat('x', { bigint: true })).size;
  console.log(await nodes(file), text, bytes, size, await file.copyTo(file), drop, namespace, handles);
}

interface Job { readonly id: number }
async function work(channel: Channel<Job, string>): Promise<void> {
  for await (const { id } of channel) await channel.send(String(id));
  const next: Job = await channel.recv();
  // @ts-expect-error: a job is received, not sent.
  await channel.send(next);
  console.log(work);
}

async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk, { timeout: 1000 });
}

export const all = [handles, Channel, bind, connect, echo, listen, open, openPipe, readFile, Ring, serveOnThreads, signals, sleep];
export const current: Loop = loop();

export const ports: number[] = [
  (await listen({ port: 0, host: process.env['HOST'] })).address.port,
  (await bind()).address.port,
  (await bind({ family: 'IPv4' })).address.port,
];
export const paths: string[] = [
  (await listen({ path: 'a' })).address.path,
  (await bind({ path: 'b' })).address.path,
  (await bind({ family: 'Unix' })).address.path,
];

const names: NodeJS.Signals[] = ['SIGTERM'];
signals(...names);
signals(...names, { signal: new AbortController().signal });
for await (const name of signals('SIGHUP')) console.log(name satisfies NodeJS.Signals);

export default async function serve({ listen, data }: ThreadContext<{ port: number }>): Promise<void> {
  const server = await listen(data);
  console.log(server.address.port, await fs.readFile('a', 'utf8'));
}
`;

const MODULES = join(ROOT, 'node_modules');

/** What the compiler says of the program, with these declarations of Node's. */
function compile(typesOfNode: string): string {
  rmSync(join(folder, 'types'), { recursive: true, force: true });
  mkdirSync(join(folder, 'types'));
  symlinkSync(typesOfNode, join(folder, 'types/node'));
  writeFileSync(join(folder, 'program.ts'), PROGRAM);
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    typeRoots: ['types'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  try {
    execFileSync(join(MODULES, '.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

// From the oldest that there is to the one that a new project gets.
for (const name of ['@types/node', 'types-node-22', 'types-node-24', 'types-node-newest']) {
  const types = join(MODULES, name);
  const skip = existsSync(types) ? false : "it is not installed: 'npm install' does so";
  t.test(`they compile without skipLibCheck beside ${name}`, { skip }, async t => {
    const { version } = JSON.parse(readFileSync(join(types, 'package.json'), 'utf8'));
    t.equal(compile(types), '', `@types/node ${version}`);
  });
}
