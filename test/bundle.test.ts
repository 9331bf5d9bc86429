/** Bundles of programs that use this package, made by the commands of docs/install.md, run beside koffi alone. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { scratchFolder } from './harness.js';
import { output, ROOT } from './programs.js';

const MODULES = join(ROOT, 'node_modules');

const SERVER = `
import { readFile } from 'uasync/fs';
import { connect, listen } from 'uasync/net';
const server = await listen({ port: 0, host: '127.0.0.1' });
const client = await connect(server.address);
const conn = await server.accept();
await conn.write(await readFile('/proc/version', 'latin1'));
console.log(String(await client.readExactly(5)));
await Promise.all([client.close(), conn.close(), server.close()]);
`;
const THREADS = `
import { connect, serveOnThreads } from 'uasync/net';
const server = await serveOnThreads(1, new URL('./worker.js', import.meta.url));
const client = await connect(server.address);
await client.write('Linux');
console.log(String(await client.readExactly(5)));
await client.close();
await server.stop();
`;
const WORKER = `
import { sleep } from 'uasync';
export default async function serve({ listen }) {
  await sleep(1);
  for await (const conn of await listen({ port: 0, host: '127.0.0.1' })) await conn.write(await conn.read());
}
`;
const SERVER_CJS = `
const { join } = require('node:path');
const { connect, serveOnThreads } = require('uasync/net');
async function main() {
  const server = await serveOnThreads(1, join(__dirname, 'worker.js'));
  const client = await connect(server.address);
  await client.write('Linux');
  console.log(String(await client.readExactly(5)));
  await client.close();
  await server.stop();
}
main();
`;
const WORKER_CJS = `
const { sleep } = require('uasync');
module.exports = async function serve({ listen }) {
  await sleep(1);
  for await (const conn of await listen({ port: 0, host: '127.0.0.1' })) await conn.write(await conn.read());
};
`;

const text = readFileSync(join(ROOT, 'docs/install.md'), 'utf8');
const commands = [...text.matchAll(/^npx (esbuild .*)$/gm)].map(([, command]) => command!.split(' '));
// The outputs, and what is run of each.
const RUN = ['esm/server.js', 'esm-threads/threads.js', 'cjs/server.js'];

t.test('docs/install.md bundles in as many ways', async t => {
  t.equal(commands.length, RUN.length);
});

let skip: string | false = false;
try {
  await output(join(MODULES, '.bin/esbuild'), ['--version']);
} catch {
  skip = "esbuild is not installed: 'npm install' does so";
}

for (const [i, [, ...args]] of commands.entries()) {
  t.test(args.join(' '), { skip }, async t => {
    const folder = scratchFolder();
    const files = {
      'server.js': SERVER,
      'threads.js': THREADS,
      'worker.js': WORKER,
      'server.cjs': SERVER_CJS,
      'worker.cjs': WORKER_CJS,
    };
    for (const [name, program] of Object.entries(files)) writeFileSync(join(folder, name), program);
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    mkdirSync(join(folder, 'cjs'));
    writeFileSync(join(folder, 'cjs/package.json'), '{ "type": "commonjs" }');
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(MODULES, 'koffi'), join(folder, 'node_modules/koffi'));
    symlinkSync(ROOT, join(folder, 'node_modules/uasync'));
    await output(join(MODULES, '.bin/esbuild'), [...args, '--log-level=error'], process.env, folder);
    rmSync(join(folder, 'node_modules/uasync'));
    const printed = await output(process.execPath, [join(folder, RUN[i]!)], process.env, folder);
    t.equal(printed, 'Linux\n');
  });
}

t.test('two copies of the package in one thread do not take each other’s memory', async t => {
  const folder = scratchFolder();
  cpSync(join(ROOT, 'dist/src'), join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(join(MODULES, 'koffi'), join(folder, 'node_modules/koffi'));
  const copies = [join(ROOT, 'dist/src'), join(folder, 'src')].map(
    place => pathToFileURL(join(place, 'index.js')).href,
  );
  const inWorker = `
    const { workerData } = require('node:worker_threads');
    (async () => {
      const one = await import(workerData[0]);
      await one.sleep(1);
      const other = await import(workerData[1]);
      await other.sleep(1);
      await one.sleep(1);
      console.log(one.loop !== other.loop);
    })();`;
  const program = `
    const { Worker } = require('node:worker_threads');
    const options = { eval: true, workerData: ${JSON.stringify(copies)} };
    new Worker(${JSON.stringify(inWorker)}, options).on('exit', code => console.log(code));`;
  t.equal(await output(process.execPath, ['-e', program]), 'true\n0\n');
});
