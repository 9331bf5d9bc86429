/** The declarations that are shipped, as a strict user of TypeScript sees them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './programs.js';

// Inside the project, so that its own name resolves.
const folder = join(ROOT, 'dist', `types-${process.pid}`);
mkdirSync(folder);
t.teardown(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { Channel, type Loop, loop, signals, sleep } from 'uasync';
import { open, readFile } from 'uasync/fs';
import { bind, type Connection, connect, listen, openPipe, serveOnThreads } from 'uasync/net';
import { Ring } from 'uasync/ring';

async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk, { timeout: 1000 });
}

export const all = [Channel, bind, connect, echo, listen, open, openPipe, readFile, Ring, serveOnThreads, signals, sleep];
export const current: Loop = loop();
`;

t.test('they compile without skipLibCheck', async t => {
  writeFileSync(join(folder, 'program.ts'), PROGRAM);
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
  let said = '';
  try {
    execFileSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
  } catch (error) {
    said = (error as { stdout: string }).stdout;
  }
  t.equal(said, '');
});
