/** The package as `npm pack` makes it, in a folder that has nothing else but its dependencies. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import t from 'tap';
import { scratchFolder } from '../harness.js';
import { output, ROOT } from '../programs.js';
import { pack, TYPED_PROGRAM, tsconfig } from './packed.js';
import '../patience.js';

type Conditions = Record<string, string>;

const folder = scratchFolder();
const modules = join(folder, 'node_modules');
const installed = join(modules, 'uasync');
let tarball = '';

t.before(async () => {
  mkdirSync(installed, { recursive: true });
  tarball = await pack(folder);
  await output('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
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

t.test('is as large as docs/performance.md says', async t => {
  const text = readFileSync(join(ROOT, 'docs/performance.md'), 'utf8');
  const said = /The package has ([\d.]+) MB as a tarball and ([\d.]+) MB unpacked/.exec(text)!;
  const sizes = (readdirSync(installed, { recursive: true }) as string[])
    .map(file => statSync(join(installed, file)))
    .map(entry => (entry.isFile() ? entry.size : 0));
  const actual = [statSync(tarball).size, sizes.reduce((sum, size) => sum + size)];
  for (const [i, bytes] of actual.entries()) {
    const ratio = bytes / 1e6 / Number(said[i + 1]);
    t.ok(ratio > 0.85 && ratio < 1.15, `${bytes} bytes, ${said[i + 1]} MB in the docs`);
  }
});

t.test('publint has nothing to say', async t => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false });
  t.same(
    messages.map(message => formatMessage(message, pkg)),
    [],
  );
});

t.test('arethetypeswrong has nothing to say of what the supported Nodes and compilers do', async t => {
  // Programs that bundlers take, and nothing imports: without types.
  const excludeEntrypoints = ['thread-entry', 'http-thread-entry'];
  const data = createPackageFromTarballData(readFileSync(tarball));
  const analysis = await checkPackage(data, { excludeEntrypoints });
  if (analysis.types === false) throw new Error('the package has no types');
  const problems = analysis.problems.filter(problem => {
    // Every Node that is supported loads ESM by require, and TypeScript knows that from 5.8 on.
    if (problem.kind === 'CJSResolvesToESM') return false;
    // Node 10 knew no "exports"; TypeScript 7 has no such mode any more.
    return !('resolutionKind' in problem && problem.resolutionKind === 'node10');
  });
  t.same(problems, []);
  t.ok(Object.keys(analysis.entrypoints).length > 7);
});

for (const resolution of ['nodenext', 'bundler'] as const) {
  t.test(`TypeScript without skipLibCheck, ${resolution} resolution`, async t => {
    const project = join(folder, resolution);
    const types = join(modules, '@types');
    mkdirSync(project);
    if (!existsSync(types)) symlinkSync(join(ROOT, 'node_modules/@types'), types);
    const files = {
      'package.json': '{ "type": "module" }',
      'program.ts': TYPED_PROGRAM,
      'tsconfig.json': tsconfig(resolution),
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
    t.equal(await output(join(ROOT, 'node_modules/.bin/tsc'), ['-p', project]), '');
  });
}

t.test('no declaration uses what TypeScript 5.6 does not know', async t => {
  // Typed arrays have a type parameter from 5.7 on. `npm run test:package` runs the old compilers themselves.
  const generic = /\b(?:\w+Array|Buffer|DataView)<(?:ArrayBuffer|SharedArrayBuffer)/;
  const files = (readdirSync(installed, { recursive: true }) as string[]).filter(file =>
    file.endsWith('.d.ts'),
  );
  t.ok(files.length > 8);
  for (const file of files) {
    const text = readFileSync(join(installed, file), 'utf8');
    if (generic.test(text)) t.fail(`${file} has ${generic.exec(text)![0]}>`);
  }
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
