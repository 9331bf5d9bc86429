/** What a thread of the pool has yet to do is for the file that was meant, whatever its number means by then. */
import { pbkdf2 } from 'node:crypto';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { loop } from 'uasync';
import fs from 'uasync/fs';
import { scratchFolder } from '../harness.js';
import '../patience.js';

/** As many as libuv has threads, unless the environment says another number. */
const THREADS = Number(process.env.UV_THREADPOOL_SIZE) || 4;

t.test('a truncation that has not begun when the loop and the file are closed', async t => {
  const at = (name: string): string => join(folder, name);
  const folder = scratchFolder();
  for (const name of ['meant', 'other']) nodeFs.writeFileSync(at(name), name);
  const main = loop({ backend: 'epoll', inline: false });
  const handle = await fs.open(at('meant'), 'r+');
  const { fd } = handle;
  const busy = Array.from({ length: THREADS }, () => promisify(pbkdf2)('x', 'y', 200_000, 64, 'sha512'));
  const truncated = handle.truncate(0);
  // It is queued in this turn, and waits for a thread.
  main.poll();
  main.close();
  await t.rejects(truncated);
  await handle.close();
  const opened: number[] = [];
  do opened.push(nodeFs.openSync(at('other'), 'r+'));
  while (opened.at(-1) !== fd && opened.length < 64);
  t.equal(opened.at(-1), fd, 'the number means another file');
  await Promise.all(busy);
  // After what has waited before it.
  await nodeFs.promises.stat(folder);
  t.equal(nodeFs.readFileSync(at('other'), 'latin1'), 'other');
  for (const each of opened) nodeFs.closeSync(each);
});
