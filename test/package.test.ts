/** The package as `npm pack` makes it, in a folder that has nothing else but its dependencies. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import t from 'tap';
import { scratchFolder } from './harness.js';
import { output, ROOT } from './programs.js';
import './patience.js';

type Conditions = Record<string, string>;

const folder = scratchFolder();
const modules = join(folder, 'node_modules');
const installed = join(modules, 'uasync');

t.before(async () => {
  mkdirSync(installed, { recursive: true });
  const npm = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const tarball = (await output('npm', npm)).trim().split('\n').at(-1)!;
  await output('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    dependencies: Conditions;
  };
  for (const name of Object.keys(dependencies)) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
});

/** Runs a program beside node_modules. */
function run(name: string, source: string, ...options: string[]): Promise<string> {
  writeFileSync(join(folder, name), source);
  return output(process.execPath, [...options, join(folder, name)], process.env, folder);
}

t.test('has what its entry points name, the sources, and no tests', async t => {
  const { exports, bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Conditions>;
    bin: Conditions;
  };
  const named = Object.values(exports).flatMap(to =>
    typeof to === 'string' ? [to] : [to.types, to.default].filter(path => path !== undefined),
  );
  for (const path of [...named, ...Object.values(bin)]) t.ok(existsSync(join(installed, path)), path);
  const files = readdirSync(installed, { recursive: true }) as string[];
  t.ok(files.includes('src/net/index.ts'));
  t.notOk(files.some(file => /\.test\.|^(dist\/)?test\//.test(file)));
});

t.test('publint has nothing to say', async t => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false });
  t.same(
    messages.map(message => formatMessage(message, pkg)),
    [],
  );
});

t.test('entry points share one loop', async t => {
  const source = `
    import { loop, sleep } from 'uasync';
    import { readFile } from 'uasync/fs';
    import { connect, listen, serveOnThreads } from 'uasync/net';
    const server = await serveOnThreads(1, new URL('./worker.mjs', import.meta.url));
    const client = await connect(server.address);
    await client.write(await readFile('/proc/version', 'latin1'));
    console.log(String(await client.readExactly(5)), loop().stats().submitted > 0);
    await client.close();
    await server.stop();`;
  writeFileSync(
    join(folder, 'worker.mjs'),
    'export default async ({ listen }) => { for await (const c of await listen({ port: 0 })) await c.write(await c.read()); };',
  );
  t.equal(await run('program.mjs', source), 'Linux true\n');
});

t.test('HTTP, also on threads, and Node’s own modules on the loop', async t => {
  const source = `
    import 'uasync/register';
    import net from 'node:net';
    import { Response, serve, serveHttpOnThreads } from 'uasync/http';
    const server = await serve({ port: 0, host: '127.0.0.1', fetch: () => new Response('one') });
    const threads = await serveHttpOnThreads(new URL('./fetch.mjs', import.meta.url), {
      threads: 1,
      http: { port: 0, host: '127.0.0.1' },
    });
    for (const { port } of [server.address, threads.address]) {
      console.log(await (await fetch('http://127.0.0.1:' + port)).text());
    }
    await server.stop();
    await threads.stop();
    console.log(typeof net.createServer);
    process.exit();`;
  writeFileSync(
    join(folder, 'fetch.mjs'),
    "import { Response } from 'uasync/http'; export default { fetch: () => new Response('two') };",
  );
  t.equal(await run('http.mjs', source), 'one\ntwo\nfunction\n');
});

t.test('CommonJS gets the same', async t => {
  const source = `
    const { loop } = require('uasync');
    const { readFile } = require('uasync/fs');
    readFile('/proc/version', 'latin1').then(text => console.log(text.slice(0, 5), loop().closed));`;
  t.equal(await run('program.cjs', source), 'Linux false\n');
});

t.test('stacks name the sources, with --enable-source-maps', async t => {
  const source = `
    import { connect } from 'uasync/net';
    await connect({ port: -1 }).catch(error => console.log(error.stack));`;
  t.match(
    await run('stack.mjs', source, '--enable-source-maps'),
    /uasync\/src\/net\/stream\/connect\.ts:\d+/,
  );
});

t.test('the command', async t => {
  t.match(await output(process.execPath, [join(installed, 'dist/bundle/cli.js'), 'doctor']), /io_uring/);
});
