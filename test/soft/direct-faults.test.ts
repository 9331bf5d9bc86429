/** UASYNC_FAULTS in plain calls, which both backends make: that there is some of each kind, and that nothing is lost by them. */
import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import * as fs from 'uasync/fs';
import { connect, listen } from 'uasync/net';
import { DirectCalls } from '../../src/soft/faults/faulty-direct-calls.js';
import { EAGAIN, EINTR } from '../../src/sys/abi/errno.js';
import { DirectoryCalls, directoryCalls } from '../../src/sys/calls/directory-calls.js';
import { checkLeaks, scratchFolder } from '../harness.js';
import { HOST, portOf } from '../net/sockets.js';

process.env.UASYNC_FAULTS = '3';
checkLeaks();

const SIZE = 1000;
const folder = scratchFolder();
const path = join(folder, 'file');
writeFileSync(path, Buffer.alloc(SIZE, 'f'));

t.test('calls do nothing, are interrupted, or do a part', async t => {
  const calls = new DirectCalls().files();
  const fd = openSync(path, 'r+');
  const bytes = Buffer.alloc(SIZE, 'f');
  for (const call of [
    () => calls.read(fd, bytes, 0, SIZE, 0, 0),
    () => calls.write(fd, bytes, 0, SIZE, 0, 0),
  ]) {
    const results = Array.from({ length: 2000 }, call);
    const [refused, interrupted] = [EAGAIN, EINTR].map(errno => results.filter(res => res === errno).length);
    const part = results.filter(res => res > 0 && res < SIZE).length;
    const whole = results.filter(res => res === SIZE).length;
    t.equal(refused! + interrupted! + part + whole, 2000, 'and nothing else');
    for (const count of [refused!, interrupted!, part]) t.ok(count > 20 && count < 400, `${count} of 2000`);
  }
  calls.unmap();
  closeSync(fd);
});

t.test('without a seed calls are plain', async t => {
  delete process.env.UASYNC_FAULTS;
  const calls = new DirectCalls().files();
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(SIZE);
  const results = Array.from({ length: 200 }, () => calls.read(fd, bytes, 0, SIZE, 0, 0));
  t.ok(results.every(res => res === SIZE));
  calls.unmap();
  closeSync(fd);
  t.equal(directoryCalls().constructor, DirectoryCalls, 'those of an earlier loop with faults are gone');
  process.env.UASYNC_FAULTS = '3';
  new DirectCalls();
  t.not(directoryCalls().constructor, DirectoryCalls);
});

t.test('a tree is copied with its modes and removed, whatever is interrupted', async t => {
  const from = join(folder, 'from');
  for (let i = 0; i < 40; i++) {
    mkdirSync(join(from, `${i}`, 'below'), { recursive: true, mode: 0o750 });
    for (let k = 0; k < 5; k++) writeFileSync(join(from, `${i}`, `${k}`), `${i} ${k}`);
  }
  for (let round = 0; round < 3; round++) {
    const to = join(folder, 'to');
    // A filter has this package copy what Node would copy at once.
    await fs.cp(from, to, { recursive: true, filter: () => true });
    for (let i = 0; i < 40; i++) {
      const modes = [`${i}`, `${i}/below`].map(name => statSync(join(to, name)).mode & 0o777);
      t.strictSame(modes, [0o750, 0o750]);
      t.equal(await fs.readFile(join(to, `${i}`, '3'), 'utf8'), `${i} 3`);
    }
    await fs.rm(to, { recursive: true });
  }
  t.strictSame(readdirSync(folder).sort(), ['file', 'from']);
});

t.test('what is sent by plain calls arrives once and in order', async t => {
  loop().close();
  loop({ inline: true });
  const server = await listen({ port: 0, host: HOST });
  const client = await connect({ port: portOf(server), host: HOST });
  const conn = await server.accept();
  for (let i = 0; i < 500; i++) {
    const text = `${i} é `.repeat(1 + (i % 50));
    await client.write(i % 2 === 0 ? text : Buffer.from(text));
    t.equal(String(await conn.readExactly(Buffer.byteLength(text))), text);
  }
  await Promise.all([client.close(), conn.close()]);
  await server.close();
});
