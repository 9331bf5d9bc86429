/** Opening in a worker: at once what is cached, the rest by way of registered files. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { makeFifo, scratchFolder } from '../harness.js';

const CODE = `
  const { parentPort, workerData } = require('node:worker_threads');
  const fs = require('node:fs');
  (async () => {
    const { access, open, realpath, stat } = await import('uasync/fs');
    const { loop } = await import('uasync');
    const { folder, file, fifo, inline } = workerData;
    loop({ inline });
    const fds = () => fs.readdirSync('/proc/self/fd').length;
    await (await open(file)).close();
    const before = fds();
    const { submitted } = loop().stats();
    await Promise.all([access(file), realpath(file), stat(file), open(file).then(handle => handle.close())]);
    const operations = loop().stats().submitted - submitted;
    const texts = await Promise.all(Array.from({ length: 2000 }, async () => {
      const handle = await open(file);
      const { buffer } = await handle.read(Buffer.alloc(5), 0, 5, 0);
      await handle.close();
      return String(buffer);
    }));
    const codes = [];
    for (const [path, flags] of [[folder + '/none', 'r'], [folder, 'w'], [file, 'wx']]) {
      codes.push(await open(path, flags).catch(error => error.code));
    }
    const handle = await open(file, 'a');
    const info = fs.readFileSync('/proc/self/fdinfo/' + handle.fd, 'latin1');
    await handle.close();
    const [reader, writer] = await Promise.all([open(fifo, 'r'), open(fifo, 'w')]);
    await writer.writeFile('through');
    await writer.close();
    const through = String(await reader.readFile());
    await reader.close();
    parentPort.postMessage({
      same: texts.every(text => text === 'hello'),
      codes,
      flags: Number.parseInt(/flags:\\s+(\\d+)/.exec(info)[1], 8),
      through,
      operations,
      more: fds() - before,
    });
  })();`;

async function openMany(t: Test, inline: boolean): Promise<void> {
  const folder = scratchFolder();
  const file = join(folder, 'file');
  writeFileSync(file, 'hello');
  const workerData = { folder, file, fifo: makeFifo(folder, 'fifo'), inline };
  const worker = new Worker(CODE, { eval: true, workerData });
  const [{ same, codes, flags, through, operations, more }] = await once(worker, 'message');
  t.ok(same, 'each has read the file');
  t.same(codes, ['ENOENT', 'EISDIR', 'EEXIST']);
  const O_CLOEXEC = 0o2000000;
  const O_APPEND = 0o2000;
  t.equal(flags & (O_CLOEXEC | O_APPEND), O_CLOEXEC | O_APPEND);
  t.equal(through, 'through');
  t.equal(more, 0, 'no descriptor is left');
  t.equal(operations === 0, inline, 'what is cached takes no operation of the ring');
  await worker.terminate();
}

t.test('thousands at once, errors, flags and a FIFO', t => openMany(t, true));
t.test('the same through the ring', t => openMany(t, false));
