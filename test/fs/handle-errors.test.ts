/** Errors of a handle's calls show who waits for them; if no one does, the process learns of them. */
import { constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { type FileHandle, open, writeFile as ours, readMany } from 'uasync/fs';
import { checkLeaks, scratchFolder } from '../harness.js';
import { built, output } from '../programs.js';

const folder = scratchFolder();
checkLeaks();
const at = join(folder, 'file');
const bytes = Buffer.alloc(3);

type Call = (handle: FileHandle) => Promise<unknown>;

/** Calls that fail on a file that was opened to be read, to be written, and with O_PATH. */
const FAILING: Readonly<Record<string, readonly [flags: number, call: Call]>> = {
  read: [constants.O_WRONLY, handle => handle.read(bytes)],
  'read at a position': [constants.O_WRONLY, handle => handle.read(bytes, 0, 3, 0)],
  readv: [constants.O_WRONLY, handle => handle.readv([bytes])],
  readFile: [constants.O_WRONLY, handle => handle.readFile()],
  chunks: [constants.O_WRONLY, handle => handle.chunks().next()],
  copyTo: [constants.O_WRONLY, handle => handle.copyTo(handle)],
  write: [constants.O_RDONLY, handle => handle.write('x')],
  'write at a position': [constants.O_RDONLY, handle => handle.write(bytes, 0, 3, 0)],
  writev: [constants.O_RDONLY, handle => handle.writev([bytes])],
  writeFile: [constants.O_RDONLY, handle => handle.writeFile('x')],
  'writeFile of pieces': [constants.O_RDONLY, handle => handle.writeFile(['x'])],
  truncate: [constants.O_RDONLY, handle => handle.truncate(1)],
  fallocate: [constants.O_RDONLY, handle => handle.fallocate(0, 1)],
  chmod: [0o10000000, handle => handle.chmod(0o600)],
  utimes: [0o10000000, handle => handle.utimes(1, 1)],
  sync: [0o10000000, handle => handle.sync()],
};

async function stackOf(call: () => Promise<unknown>): Promise<string> {
  async function whoWaits(): Promise<void> {
    await call();
  }
  return whoWaits().then(
    () => 'it succeeded',
    (error: Error) => error.stack!,
  );
}

const WAITS = /at (async )?whoWaits/;

t.test('the stack shows who waits', async t => {
  await writeFile(at, 'some text');
  for (const [name, [flags, call]] of Object.entries(FAILING)) {
    await using handle = await open(at, flags);
    t.match(await stackOf(() => call(handle)), WAITS, name);
  }
  await using handle = await open(at);
  const first = stackOf(() => handle.write(bytes));
  t.match(await stackOf(() => handle.write(bytes)), WAITS, 'a write that waits for another');
  t.match(await first, WAITS, 'the other one');
  const writing = stackOf(() => handle.write(bytes, 0, 3, 0));
  t.match(await stackOf(() => handle.write(bytes, 0, 3, 1)), WAITS, 'a write that overlaps with another');
  t.match(await writing, WAITS, 'the other one');
});

t.test('of large files and of many', async t => {
  t.match(await stackOf(() => ours('/dev/full', Buffer.alloc(1 << 20))), WAITS, 'writeFile');
  t.match(await stackOf(() => readMany([at, join(folder, 'missing')])), WAITS, 'readMany');
});

t.test('what no one waits for is an unhandled rejection', async t => {
  const learnt = (await output(process.execPath, [built('test/fixtures/unhandled-errors.js')])).split('\n');
  for (const name of [
    ...['read', 'read at a position', 'readv', 'readFile', 'write', 'write at a position', 'writev'],
    ...['writeFile', 'appendFile', 'truncate', 'chmod'],
  ])
    t.ok(learnt.includes(name), name);
});
