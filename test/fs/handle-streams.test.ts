/** Streams over a handle that is closed before they have ended. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { open } from 'uasync/fs';
import { checkLeaks, scratchFolder, whenClosed } from '../harness.js';

const folder = scratchFolder();
checkLeaks();

t.test('close() waits until a stream has written what it was given', async t => {
  for (const autoClose of [true, false]) {
    const path = join(folder, `written-${autoClose}`);
    const handle = await open(path, 'w');
    const stream = handle.createWriteStream({ autoClose });
    const closed = whenClosed(stream);
    stream.write('one,');
    stream.cork();
    stream.write('two,');
    stream.write('x'.repeat(300_000));
    await handle.close();
    await closed;
    t.equal(nodeFs.readFileSync(path, 'utf8'), `one,two,${'x'.repeat(300_000)}`);
    t.ok(stream.writableFinished);
    await t.rejects(handle.write('more'), { code: 'EBADF' });
  }
});

t.test('a stream that has ended or failed, without autoClose, does not hold close() up', async t => {
  const path = join(folder, 'ended');
  const handle = await open(path, 'w');
  const stream = handle.createWriteStream({ autoClose: false });
  await new Promise<void>(resolve => stream.end('all', resolve));
  t.ok(handle.fd >= 0);
  const reader = await open(path);
  const failing = reader.createWriteStream({ autoClose: false });
  const failed = new Promise(resolve => failing.once('error', resolve));
  failing.write('refused');
  await Promise.all([handle.close(), reader.close()]);
  t.match(await failed, { code: 'EBADF', syscall: 'write' });
  t.equal(nodeFs.readFileSync(path, 'utf8'), 'all');
  const again = await open(path);
  const late = again.createWriteStream({ autoClose: false });
  const error = new Promise(resolve => late.once('error', resolve));
  late.write('refused');
  await error;
  await again.close();
});

t.test('streams that cannot be made, or begin too late, hold nothing', async t => {
  const handle = await open(join(folder, 'wrong'), 'w+');
  t.throws(() => handle.createReadStream({ start: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => handle.createWriteStream({ start: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => handle.readableWebStream([] as never), { code: 'ERR_INVALID_ARG_TYPE' });
  await handle.close();
  t.throws(() => handle.createWriteStream(), { code: 'ERR_OUT_OF_RANGE' });
});

t.test('a stream that is destroyed writes nothing more, and does not hold close() up', async t => {
  const handle = await open(join(folder, 'destroyed'), 'w');
  const stream = handle.createWriteStream();
  stream.write('dropped');
  stream.destroy();
  await handle.close();
  t.ok(stream.destroyed);
});
