/** Arguments that Node's own calls do not survive. Modes of 32 bits and -0, which Node passes on to calls that end the process for them: the kernel ignores what they have beyond 0o7777. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import * as fs from 'uasync/fs';
import { checkLeaks, scratchFolder } from '../harness.js';
import { built } from '../programs.js';

checkLeaks();
const folder = scratchFolder();
const path = join(folder, 'file');
writeFileSync(path, '');
const BITS = 0o740;
const modeOf = (name: string): number => statSync(join(folder, name)).mode & 0o777;

for (const mode of [2 ** 31 + BITS, 2 ** 32 - 2 ** 16 + BITS, (2 ** 31 + BITS).toString(8)]) {
  t.test(`${typeof mode} ${mode}`, async t => {
    await fs.chmod(path, mode);
    t.equal(modeOf('file'), BITS);
    const handle = await fs.open(path);
    await fs.chmod(path, 0o600);
    await handle.chmod(mode);
    await handle.close();
    t.equal(modeOf('file'), BITS);
    await (await fs.open(join(folder, 'opened'), 'wx', mode)).close();
    await fs.writeFile(join(folder, 'written'), 'x', { mode });
    await fs.appendFile(join(folder, 'appended'), 'x', { mode });
    await fs.mkdir(join(folder, 'made'), { mode });
    await fs.mkdir(join(folder, 'above', 'below'), { mode, recursive: true });
    for (const name of ['opened', 'written', 'appended', 'made', 'above/below']) {
      t.equal(modeOf(name), BITS & ~process.umask(), name);
      await fs.rm(join(folder, name), { recursive: true });
    }
  });
}

t.test('-0', async t => {
  await fs.chmod(path, -0);
  t.equal(modeOf('file'), 0);
  await fs.chmod(path, 0o600);
  const handle = await fs.open(path, 'r', -0);
  await handle.chmod(-0);
  await handle.close();
  t.equal(modeOf('file'), 0);
});

t.test('mkdtemp with a long prefix in bytes, for which Node 20 and 22 write where they must not', async t => {
  for (let i = 0; i < 300; i++) {
    await t.rejects(fs.mkdtemp(Buffer.alloc(1000 + i * 10, 'x') as never), { code: 'ENAMETOOLONG' });
  }
  await t.rejects(fs.mkdtemp(Buffer.alloc(2000, 0xff) as never), { code: 'ENAMETOOLONG' });
  const made = await fs.mkdtemp(Buffer.from(`${folder}/${'./'.repeat(500)}made-`) as never);
  t.ok(statSync(made).isDirectory());
});

t.test('what has more bits is refused', async t => {
  for (const mode of [2 ** 32, -1, 0.5, '8', '77777777777777']) {
    await t.rejects(fs.chmod(path, mode), { code: /^ERR_(OUT_OF_RANGE|INVALID_ARG_VALUE)$/ });
    await t.rejects(fs.open(path, 'r', mode), { code: /^ERR_(OUT_OF_RANGE|INVALID_ARG_VALUE)$/ });
  }
});

t.test('in a worker, which has Node open', async t => {
  const made = join(folder, 'by-worker');
  const worker = new Worker(built('test/fixtures/opens-large-mode.js'), {
    workerData: { path: made, mode: 2 ** 31 + BITS },
  });
  const [code] = await new Promise<[number]>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', code => resolve([code]));
  });
  t.equal(code, 0);
  t.equal(modeOf('by-worker'), BITS & ~process.umask());
});
