/** `node --import uasync/register`: programs that use fs.promises. */
import t from 'tap';
import { scratchFolder } from '../harness.js';
import { ROOT } from '../programs.js';
import { registered } from './registered.js';

const folder = scratchFolder();
const run = registered(folder);

t.test('paths, handles and streams do what they do without it', async t => {
  const program = (name: string): string => `
    import fs from 'node:fs';
    import * as named from 'node:fs/promises';
    import { pipeline } from 'node:stream/promises';
    const { promises } = fs;
    const folder = '${folder}/${name}';
    const out = [];
    const say = (...values) => out.push(values.map(value => value instanceof Error ? \`\${value.name} \${value.code} \${value.message} \${value.errno ? value.stack.split(':')[0] : ''}\` : value).join(' '));
    const error = async promise => { try { await promise; return 'none'; } catch (error) { return error; } };
    await promises.mkdir(folder);
    const file = folder + '/file';
    await named.writeFile(file, 'first line\\n');
    await promises.appendFile(file, 'second line\\n');
    say((await named.stat(file)).size, (await named.readdir(folder)).join(), (await named.stat(file)) instanceof fs.Stats);
    say(await error(named.readFile(folder + '/nothing')));
    say(await error(named.open(folder + '/nothing')));
    say(await error(named.readFile(folder)), (await error(named.readFile(folder))).path);
    say(await error(named.readFile(folder, { signal: new AbortController().signal })), await error(named.unlink(folder)));
    say(await error(named.stat(1)));
    const handle = await promises.open(file, 'r+');
    say(handle.constructor.name, handle instanceof (await named.open(file).then(async other => (await other.close(), other.constructor))));
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(5), 0, 5, 0);
    say(bytesRead, buffer, await handle.readFile('utf8'));
    say((await handle.write('FIRST', 0)).bytesWritten, (await handle.stat()).size);
    for await (const line of handle.readLines({ start: 0 })) say(line);
    say(handle.fd, await error(handle.read(Buffer.alloc(1))));
    say(await error(handle.constructor.prototype.stat.call({})));
    const reading = await promises.open(file);
    const writing = await promises.open(file + '2', 'w');
    await pipeline(fs.createReadStream(null, { fd: reading }), fs.createWriteStream(null, { fd: writing }));
    say(reading.fd, writing.fd, await promises.readFile(file + '2', 'utf8'));
    const whole = await promises.open(file + '2', 'a+');
    await promises.appendFile(whole, 'third');
    say((await promises.readFile(file + '2', 'utf8')).length, await error(whole.close()), await error(whole.close()));
    for await (const entry of await promises.opendir(folder)) say(entry.name.length);
    say(named.readFile === promises.readFile, promises.stat.name, promises.stat.length, Object.keys(promises).length);
    await promises.rm(folder, { recursive: true });
    say(fs.existsSync(folder));
    console.log(out.join('\\n').replaceAll(folder, ''));
  `;
  const stock = await run(program('files'), { env: { UASYNC_REGISTER: 'off' } });
  const ours = await run(program('files'));
  t.equal(ours.stdout, stock.stdout);
  t.match(ours.stdout, /FIRST line/);
  t.equal(ours.stderr, stock.stderr);
});

t.test('a web stream that is cancelled closes the file, and the number is not closed again', async t => {
  const { stdout, stderr } = await run(`
    import fs from 'node:fs';
    import { open, writeFile } from 'node:fs/promises';
    const path = '${folder}/streamed';
    await writeFile(path, 'x'.repeat(1e6));
    let lost = 0;
    for (let i = 0; i < 20; i++) {
      const handle = await open(path);
      const reader = handle.readableWebStream().getReader();
      await reader.read();
      const ending = [reader.cancel(), handle.close()].map(promise => promise.catch(() => {}));
      const others = [];
      for (let k = 0; k < 5; k++) {
        others.push(fs.openSync(path));
        await null;
      }
      await Promise.all(ending);
      for (const fd of others) {
        try {
          fs.closeSync(fd);
        } catch {
          lost++;
        }
      }
    }
    console.log('lost', lost);
  `);
  t.equal(stdout, 'lost 0\n');
  t.notMatch(stderr, /Warning: File descriptor|Error/);
});

t.test('none of the requests to the threads of Node are made', async t => {
  const { stdout } = await run(`
    import { createHook } from 'node:async_hooks';
    import { writeFileSync } from 'node:fs';
    import { open, readFile, stat, writeFile } from 'node:fs/promises';
    const { register } = await import('${ROOT}dist/bundle/register.js');
    const path = '${folder}/on-loop';
    writeFileSync(path, 'text');
    // Has handles adapted.
    await (await open(path)).close();
    let requests = 0;
    createHook({ init: (id, type) => { if (type.startsWith('FSREQ') || type === 'FILEHANDLECLOSEREQ') requests++; } }).enable();
    const all = async () => {
      requests = 0;
      await stat(path);
      await writeFile(path, 'other');
      const handle = await open(path, 'r+');
      await handle.write('text');
      await handle.stat();
      await handle.close();
      return [await readFile(path, 'utf8'), requests];
    };
    console.log(await all());
    register({ fs: false });
    console.log((await all())[1] > 6);
  `);
  t.equal(stdout, "[ 'textr', 0 ]\ntrue\n");
});

t.test('a handle goes to a worker and back, but not while a call is pending', async t => {
  const { stdout } = await run(`
    import { open, writeFile } from 'node:fs/promises';
    import { Worker } from 'node:worker_threads';
    const path = '${folder}/transferred';
    await writeFile(path, 'there and back');
    const handle = await open(path);
    const worker = new Worker(\`
      const { parentPort } = require('node:worker_threads');
      parentPort.once('message', async handle => {
        parentPort.postMessage({ text: await handle.readFile('utf8'), handle }, [handle]);
      });\`, { eval: true });
    const large = await open('/dev/zero');
    const reading = large.read(Buffer.alloc(1 << 24));
    try { worker.postMessage(large, [large]); } catch (error) { console.log(error.name); }
    await reading;
    await large.close();
    worker.postMessage(handle, [handle]);
    console.log(handle.fd);
    const { text, handle: back } = await new Promise(resolve => worker.once('message', resolve));
    console.log(text, back.constructor === handle.constructor, (await back.stat()).size);
    await back.close();
  `);
  t.equal(stdout, 'DataCloneError\n-1\nthere and back true 14\n');
});

t.test('close() waits for calls that are pending, and no descriptor stays open', async t => {
  const { stdout } = await run(
    `
    import { readdirSync, writeFileSync } from 'node:fs';
    import { open } from 'node:fs/promises';
    const fds = () => readdirSync('/proc/self/fd').length;
    const path = '${folder}/closed';
    writeFileSync(path, Buffer.alloc(1 << 20, 'x'));
    await (await open(path)).close();
    console.log('standard output opens a descriptor');
    const before = fds();
    const handle = await open(path, 'r+');
    const calls = [handle.read(Buffer.alloc(1 << 20), 0, 1 << 20, 0), handle.sync(), handle.chmod(0o600)];
    const closed = handle.close();
    const [{ bytesRead }] = await Promise.all(calls);
    await closed;
    console.log(bytesRead, fds() - before);
    await Promise.all(Array.from({ length: 50 }, async () => (await open(path)).close()));
    console.log(fds() - before);
    await new Promise(resolve => {
      let timer;
      const lost = ({ message }) => {
        if (!/garbage/.test(message)) return;
        clearTimeout(timer);
        resolve();
      };
      // Node 26 throws.
      process.on('warning', lost).on('uncaughtException', lost);
      (async () => void (await open(path)))();
      const collect = () => {
        gc();
        timer = setTimeout(collect, 10);
      };
      timer = setTimeout(collect, 10);
    });
    console.log(fds() - before);
  `,
    { args: ['--expose-gc', '--no-deprecation'] },
  );
  t.equal(stdout, 'standard output opens a descriptor\n1048576 0\n0\n0\n');
});

t.test('workers that are terminated leave no descriptors of handles or datagram sockets', async t => {
  const worker = `
    const { parentPort } = require('node:worker_threads');
    const dgram = require('node:dgram');
    const { open } = require('node:fs/promises');
    const path = '${folder}/terminated';
    (async () => {
      const kept = [await open(path), await open(path)];
      const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
        socket.send('on its way', socket.address().port, '127.0.0.1');
        parentPort.postMessage('ready');
        kept.pop().close();
      });
      for (;;) {
        const handle = await open(path);
        await handle.readFile();
        await handle.close();
      }
    })();`;
  const { stdout } = await run(
    `
    const { readdirSync, writeFileSync } = require('node:fs');
    const { Worker } = require('node:worker_threads');
    const fds = () => readdirSync('/proc/self/fd').length;
    console.log('standard output opens a descriptor');
    writeFileSync('${folder}/terminated', 'text');
    const one = async () => {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
      await new Promise(resolve => worker.once('message', resolve));
      await worker.terminate();
    };
    (async () => {
      await one();
      const before = fds();
      for (let i = 0; i < 5; i++) await one();
      while (fds() > before) await new Promise(resolve => setTimeout(resolve, 5));
      console.log('none');
    })();
  `,
    // The worker is made from a string: what is imported comes too late for it.
    { kind: 'cjs', args: ['--require', `${ROOT}dist/bundle/register.js`] },
  );
  t.equal(stdout, 'standard output opens a descriptor\nnone\n');
});

t.test('a signal that is aborted in the same turn rejects, also what would be done at once', async t => {
  const { stdout } = await run(`
    import { open, readFile, writeFile } from 'node:fs/promises';
    const path = '${folder}/aborted';
    await writeFile(path, 'text');
    const aborted = async call => {
      const controller = new AbortController();
      process.nextTick(() => controller.abort());
      return call({ signal: controller.signal }).then(() => 'done', error => error.name);
    };
    const handle = await open(path, 'r+');
    console.log(await aborted(options => readFile(path, options)), await aborted(options => writeFile(path, 'other', options)));
    console.log(await aborted(options => handle.readFile(options)), await aborted(options => handle.writeFile('other', options)));
    console.log(await readFile(path, 'utf8'));
    await handle.close();
  `);
  t.equal(stdout, 'AbortError AbortError\nAbortError AbortError\ntext\n');
});

t.test('a Node whose handles have changed keeps its own, and one warning says why', async t => {
  const { stdout, stderr } = await run(`
    import { open, readFile } from 'node:fs/promises';
    import { createRequire } from 'node:module';
    process.noDeprecation = true;
    delete process.binding('fs').FileHandle.prototype.releaseFD;
    const path = '${folder}/changed';
    const handle = await open(path, 'w+');
    await handle.writeFile('stock');
    await handle.close();
    console.log(await readFile(path, 'utf8'));
  `);
  t.equal(stdout, 'stock\n');
  t.equal(stderr.match(/FileHandle of node:fs\/promises stays as it is/g)?.length, 1);
});

t.test('--permission and UASYNC_REGISTER=net leave the functions alone', async t => {
  const program = `
    import { promises } from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    console.log(String(promises.stat).includes('fs'), String(promises.stat).includes('enabled'));
  `;
  const { stdout } = await run(program, { env: { UASYNC_REGISTER: 'net' } });
  t.match(stdout, /false\n$/);
  t.match((await run(program, { env: { UASYNC_REGISTER: 'fs' } })).stdout, /true\n$/);
  const flag = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  t.match((await run(program, { args: [flag, '--allow-fs-read=*'] })).stdout, /false\n$/);
});

t.test('a program without files loads no loop, also one that Node reads by fs.promises', async t => {
  const loaded = `(await import('node:process')).report.getReport().sharedObjects.some(path => path.includes('koffi'))`;
  const { stdout } = await run(
    `
    import { stat } from 'node:fs/promises';
    await import('data:text/javascript,');
    console.log(${loaded});
    await stat('/');
    console.log(${loaded});
  `,
    { env: { UASYNC_REGISTER: '' } },
  );
  t.equal(stdout, 'false\ntrue\n');
});

/** For programs that use up their descriptors, and ask which files are on the loop. */
const SHORT = `
  const { execFileSync } = require('node:child_process');
  const fs = require('node:fs');
  const { setTimeout } = require('node:timers/promises');
  const { promises } = fs;
  const file = '${folder}/short';
  fs.writeFileSync(file, 'text');
  execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=60:60']);
  const onLoop = async () => {
    const handle = await promises.open(file);
    const kHandle = Object.getOwnPropertySymbols(handle).find(symbol => symbol.description === 'kHandle');
    const { length } = Object.getOwnPropertyNames(Object.getPrototypeOf(handle[kHandle]));
    await handle.close();
    return length;
  };
  const fill = () => { const all = []; try { for (;;) all.push(fs.openSync(file)); } catch { return all; } };
  const empty = all => { for (const fd of all) fs.closeSync(fd); };
`;

t.test('where descriptors are short Node’s functions serve, and the loop once there are some', async t => {
  // Node 20 reads a program of the other kind by fs.promises.
  const { stdout, stderr } = await run(
    `${SHORT}
    (async () => {
      const all = fill();
      console.log((await promises.stat(file)).size, await promises.open(file).catch(error => error.code));
      empty(all);
      console.log(await promises.readFile(file, 'utf8'));
      const { register } = await import('${ROOT}dist/bundle/register.js');
      register({ fs: false });
      const own = await onLoop();
      register({ fs: true });
      while (await onLoop() === own) await setTimeout(50);
      console.log('on the loop');
    })();
  `,
    { kind: 'cjs' },
  );
  t.equal(stdout, '4 EMFILE\ntext\non the loop\n');
  t.equal(stderr, '');
});

t.test(
  'a first handle that cannot be looked at for want of descriptors changes nothing for the others',
  async t => {
    const { stdout, stderr } = await run(
      `${SHORT}
    (async () => {
      // The loop is made.
      console.log((await promises.stat(file)).size);
      const all = fill();
      console.log(await promises.open(file).catch(error => error.code));
      empty(all);
      const first = await onLoop();
      const { register } = await import('${ROOT}dist/bundle/register.js');
      register({ fs: false });
      console.log(first !== await onLoop());
    })();
  `,
      { kind: 'cjs' },
    );
    t.equal(stdout, '4\nEMFILE\ntrue\n');
    t.equal(stderr, '');
  },
);
