/** The declarations that are shipped, as a strict user of TypeScript sees them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './programs.js';

// Inside the project, so that its own name resolves.
const folder = join(ROOT, 'dist', `types-${process.pid}`);
mkdirSync(folder);
t.teardown(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { Channel, type Loop, loop, signals, sleep } from 'uasync';
import fs, { open, readFile } from 'uasync/fs';
import { bind, type Connection, connect, listen, openPipe, serveOnThreads, type ThreadContext } from 'uasync/net';
import { Ring } from 'uasync/ring';

async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk, { timeout: 1000 });
}

export const all = [Channel, bind, connect, echo, listen, open, openPipe, readFile, Ring, serveOnThreads, signals, sleep];
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

// The oldest that there is, and the one that a new project gets.
for (const name of ['@types/node', 'types-node-newest']) {
  const types = join(MODULES, name);
  const { version } = JSON.parse(readFileSync(join(types, 'package.json'), 'utf8'));
  t.test(`they compile without skipLibCheck beside @types/node ${version}`, async t => {
    t.equal(compile(types), '');
  });
}
