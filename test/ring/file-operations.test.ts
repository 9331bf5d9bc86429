/** Operations on files and paths, by what they do to real ones. */
import fs, { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as abi from 'uasync/ring';
import { AT_FDCWD, AT_REMOVEDIR, RENAME_EXCHANGE, RENAME_NOREPLACE } from 'uasync/ring';
import { scratchFolder } from '../harness.js';
import { complete, lacking, one, ring } from './driver.js';

const folder = scratchFolder();
const at = (name: string): string => join(folder, name);

function file(name: string, contents: string | Buffer): string {
  writeFileSync(at(name), contents);
  return at(name);
}

t.test('readv and writev', async t => {
  const fd = openSync(at('vectors'), 'w+');
  t.equal(
    one(sqe => sqe.writev(fd, [Buffer.from('one '), new Uint8Array(0), Buffer.from('two')], 0)),
    7,
  );
  t.equal(readFileSync(at('vectors'), 'latin1'), 'one two');
  const [a, b] = [Buffer.alloc(2), Buffer.alloc(10)];
  t.equal(
    one(sqe => sqe.readv(fd, [a, b], 1)),
    6,
  );
  t.equal(`${a}|${b.toString('latin1', 0, 4)}`, 'ne| two');
  const RWF_APPEND = 0x10;
  t.equal(
    one(sqe => sqe.writev(fd, [Buffer.from('!')], 0, RWF_APPEND)),
    1,
  );
  t.equal(readFileSync(at('vectors'), 'latin1'), 'one two!');
  t.throws(() => ring.getSqe()!.readv(fd, 'x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  t.throws(() => ring.getSqe()!.readv(fd, Array(1025).fill(a)), { code: 'ERR_OUT_OF_RANGE' });
  ring.submit(2);
  ring.copyCqes();
  closeSync(fd);
});

t.test(
  'readMultishot from a pipe',
  { skip: lacking(['READ_MULTISHOT', abi.OP_READ_MULTISHOT, '6.7']) },
  async t => {
    const pipe = new Int32Array(2);
    t.equal(
      one(sqe => sqe.pipe(pipe)),
      0,
    );
    const group = new abi.BufRing(ring, { group: 9, entries: 4, bufferSize: 64 });
    ring.getSqe()!.readMultishot(pipe[0]!, 0, 0, 9).userData(1);
    ring.submit();
    const seen: string[] = [];
    for (const text of ['first', 'second']) {
      fs.writeSync(pipe[1]!, text);
      const cqe = ring.copyCqes(1)[0]!;
      t.ok(cqe.flags & abi.CQE_F_MORE);
      const id = abi.BufRing.idOf(cqe.flags);
      seen.push(group.bytes.toString('latin1', id * 64, id * 64 + cqe.res));
      group.recycle(id);
      group.publish();
    }
    t.strictSame(seen, ['first', 'second']);
    closeSync(pipe[1]!);
    const last = ring.copyCqes(1)[0]!;
    t.equal(last.res, 0, 'the end');
    t.notOk(last.flags & abi.CQE_F_MORE);
    closeSync(pipe[0]!);
    group.close();
  },
);

t.test('syncFileRange, fallocate, fadvise, madvise', async t => {
  const fd = openSync(at('space'), 'w+');
  t.equal(
    one(sqe => sqe.fallocate(fd, 0, 0, 10_000)),
    0,
  );
  t.equal(statSync(at('space')).size, 10_000);
  const FALLOC_FL_KEEP_SIZE = 1;
  t.equal(
    one(sqe => sqe.fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 50_000)),
    0,
  );
  t.equal(statSync(at('space')).size, 10_000);
  const SYNC_FILE_RANGE_WRITE = 2;
  t.equal(
    one(sqe => sqe.syncFileRange(fd, 0, 0, SYNC_FILE_RANGE_WRITE)),
    0,
  );
  t.equal(
    one(sqe => sqe.fsync(fd, abi.FSYNC_DATASYNC)),
    0,
  );
  const POSIX_FADV_SEQUENTIAL = 2;
  t.equal(
    one(sqe => sqe.fadvise(fd, 0, 10_000, POSIX_FADV_SEQUENTIAL)),
    0,
  );
  const page = new Uint8Array(new SharedArrayBuffer(1 << 20));
  const MADV_NORMAL = 0;
  const res = one(sqe => sqe.madvise(page, MADV_NORMAL));
  t.ok(res === 0 || res === -22, 'EINVAL where the memory does not begin a page');
  t.throws(
    () => ring.getSqe()!.madvise(page, 4),
    { code: 'ERR_OUT_OF_RANGE' },
    'MADV_DONTNEED would lose data',
  );
  ring.submit(1);
  ring.copyCqes();
  closeSync(fd);
});

t.test('ftruncate', { skip: lacking(['FTRUNCATE', abi.OP_FTRUNCATE, '6.9']) }, async t => {
  const fd = openSync(file('long', 'x'.repeat(100)), 'r+');
  t.equal(
    one(sqe => sqe.ftruncate(fd, 10)),
    0,
  );
  t.equal(statSync(at('long')).size, 10);
  closeSync(fd);
});

t.test('splice and tee through pipes', { skip: lacking(['PIPE', abi.OP_PIPE, '6.16']) }, async t => {
  const source = openSync(file('source', 'through the pipes'), 'r');
  const target = openSync(at('target'), 'w');
  const [a, b] = [new Int32Array(2), new Int32Array(2)];
  t.equal(
    one(sqe => sqe.pipe(a)),
    0,
  );
  t.equal(
    one(sqe => sqe.pipe(b)),
    0,
  );
  t.equal(
    one(sqe => sqe.splice(source, 8, a[1]!, -1, 100)),
    9,
  );
  t.equal(
    one(sqe => sqe.tee(a[0]!, b[1]!, 100)),
    9,
  );
  t.equal(
    one(sqe => sqe.splice(a[0]!, -1, target, 0, 100)),
    9,
  );
  t.equal(readFileSync(at('target'), 'latin1'), 'the pipes');
  const buffer = Buffer.alloc(20);
  t.equal(
    one(sqe => sqe.read(b[0]!, buffer)),
    9,
    'tee has left a copy',
  );
  for (const fd of [source, target, ...a, ...b]) closeSync(fd);
});

t.test('openat2 with restrictions', async t => {
  const inside = openSync(folder, 'r');
  file('inside', 'x');
  const RESOLVE_BENEATH = 8;
  const fd = one(sqe => sqe.openat2(inside, 'inside', { flags: 0, resolve: RESOLVE_BENEATH }));
  t.ok(fd > 0);
  closeSync(fd);
  t.equal(
    one(sqe => sqe.openat2(inside, '../x', { flags: 0, resolve: RESOLVE_BENEATH })),
    -18,
    'EXDEV',
  );
  t.throws(() => ring.getSqe()!.openat2(inside, 'x', null as never), { code: 'ERR_INVALID_ARG_TYPE' });
  ring.submit(1);
  ring.copyCqes();
  closeSync(inside);
});

t.test('open, rename, link, unlink, mkdir, symlink', async t => {
  const fd = one(sqe => sqe.open(file('named', 'x'), 0));
  t.ok(fd > 0);
  closeSync(fd);
  t.equal(
    one(sqe => sqe.rename(at('named'), at('renamed'))),
    0,
  );
  t.ok(fs.existsSync(at('renamed')));
  file('other', 'other');
  t.equal(
    one(sqe => sqe.renameat(AT_FDCWD, at('renamed'), AT_FDCWD, at('other'), RENAME_NOREPLACE)),
    -17,
    'EEXIST',
  );
  t.equal(
    one(sqe => sqe.renameat(AT_FDCWD, at('renamed'), AT_FDCWD, at('other'), RENAME_EXCHANGE)),
    0,
  );
  t.equal(readFileSync(at('renamed'), 'latin1'), 'other');
  t.equal(
    one(sqe => sqe.linkPath(at('renamed'), at('second name'))),
    0,
  );
  t.equal(statSync(at('renamed')).nlink, 2);
  t.equal(
    one(sqe => sqe.unlink(at('second name'))),
    0,
  );
  t.equal(
    one(sqe => sqe.unlink(at('second name'))),
    -2,
  );
  t.equal(
    one(sqe => sqe.mkdir(at('dir'), 0o700)),
    0,
  );
  t.equal(statSync(at('dir')).mode & 0o777, 0o700);
  const dir = openSync(at('dir'), 'r');
  t.equal(
    one(sqe => sqe.mkdirat(dir, 'sub')),
    0,
  );
  t.equal(
    one(sqe => sqe.symlinkat('../other', dir, 'pointer')),
    0,
  );
  t.equal(readFileSync(at('dir/pointer'), 'latin1'), 'x');
  t.equal(
    one(sqe => sqe.symlink('nowhere', at('dangling'))),
    0,
  );
  t.equal(fs.readlinkSync(at('dangling')), 'nowhere');
  t.equal(
    one(sqe => sqe.linkat(AT_FDCWD, at('other'), dir, 'linked')),
    0,
  );
  t.equal(
    one(sqe => sqe.unlinkat(dir, 'sub')),
    -21,
    'EISDIR',
  );
  t.equal(
    one(sqe => sqe.unlinkat(dir, 'sub', AT_REMOVEDIR)),
    0,
  );
  t.strictSame(fs.readdirSync(at('dir')).sort(), ['linked', 'pointer']);
  closeSync(dir);
});

t.test('extended attributes', async t => {
  const path = file('attributed', 'x');
  const value = Buffer.alloc(16);
  const set = one(sqe => sqe.setxattr(path, 'user.colour', Buffer.from('green')));
  if (set === -95) {
    t.comment('EOPNOTSUPP: this file system has no extended attributes');
    return;
  }
  t.equal(set, 0);
  t.equal(
    one(sqe => sqe.getxattr(path, 'user.colour', value)),
    5,
  );
  t.equal(value.toString('latin1', 0, 5), 'green');
  const fd = openSync(path, 'r+');
  t.equal(
    one(sqe => sqe.fsetxattr(fd, 'user.size', Buffer.from('large'))),
    0,
  );
  t.equal(
    one(sqe => sqe.fgetxattr(fd, 'user.size', value)),
    5,
  );
  t.equal(
    one(sqe => sqe.fgetxattr(fd, 'user.none', value)),
    -61,
    'ENODATA',
  );
  const XATTR_CREATE = 1;
  t.equal(
    one(sqe => sqe.setxattr(path, 'user.colour', value, XATTR_CREATE)),
    -17,
  );
  closeSync(fd);
});

t.test('a completion of a failed operation is no exception', async t => {
  const cqe = complete(sqe => sqe.ftruncate(0x7ffffff0, 1).userData(5));
  t.strictSame(cqe, { userData: 5, res: -9, flags: 0 });
});
