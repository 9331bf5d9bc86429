/** Commands to drivers, and operations whose hardware is not here. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as abi from 'uasync/ring';
import { AddressBuffer, inetAddress } from 'uasync/ring';
import { scratchFolder } from '../harness.js';
import { lacking, one, ring } from './driver.js';

const { AF_INET, SOCK_DGRAM } = abi;
const skip = lacking(['URING_CMD', abi.OP_URING_CMD, '5.19']);

t.test('a command goes to the file’s own driver', { skip }, async t => {
  const fd = one(sqe => sqe.socket(AF_INET, SOCK_DGRAM));
  one(sqe => sqe.bind(fd, inetAddress('127.0.0.1', 0)));
  // The command's fields of SO_RCVBUF as cmdGetsockopt lays them out are level, name and value.
  t.equal(
    one(sqe => sqe.uringCmd(fd, abi.SOCKET_URING_OP_SIOCINQ)),
    0,
    'nothing waits',
  );
  t.equal(
    one(sqe => sqe.uringCmd(fd, 0x7fffffff, Buffer.alloc(16, 1))),
    -95,
    'EOPNOTSUPP: no such command',
  );
  const name = new AddressBuffer();
  const named = one(sqe => sqe.cmdGetsockname(fd, name));
  if (named === -95) t.comment('this kernel has no SOCKET_URING_OP_GETSOCKNAME: it came with Linux 7.0');
  else t.strictSame(name.address, abi.getsockname(fd));
  one(sqe => sqe.close(fd));
  const refused = [
    () => ring.getSqe()!.uringCmd(fd, 0, Buffer.alloc(17)),
    () => ring.getSqe()!.cmdDiscard(fd, -1, 0),
    () => ring.getSqe()!.recvZc(fd, 0, -1),
  ];
  for (const call of refused) t.throws(call, { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => ring.getSqe()!.uringCmd(fd, 0, 'x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  ring.submit();
  ring.copyCqes();
});

t.test('a command may fill the second half of an entry of 128 bytes', async t => {
  const wide = new abi.Ring(2, { flags: abi.SETUP_SQE128 });
  const sqe = wide.getSqe()!.uringCmd(0, 0, Buffer.alloc(80, 0xab));
  t.strictSame(sqe.words.subarray(sqe.at + 12, sqe.at + 32), new Int32Array(20).fill(0xabababab | 0));
  t.throws(() => sqe.uringCmd(0, 0, Buffer.alloc(81)), { code: 'ERR_OUT_OF_RANGE' });
  wide.close();
  sqe.uringCmd(0, 0, Buffer.alloc(80, 1));
});

t.test('zero-copy receive without a queue for it is refused', async t => {
  const missing = lacking(['RECV_ZC', abi.OP_RECV_ZC, '6.15']);
  const fd = one(sqe => sqe.socket(AF_INET, SOCK_DGRAM));
  const refused = one(sqe => sqe.recvZc(fd, 0));
  t.equal(refused, -22, missing || 'EINVAL: the ring has no interface queue');
  one(sqe => sqe.close(fd));
});

/** A loop device over a file, or why there is none. */
function loopDevice(file: string): { path: string } | { missing: string } {
  const made = spawnSync('losetup', ['--find', '--show', file], { encoding: 'latin1' });
  if (made.status !== 0) return { missing: made.error?.message ?? made.stderr.trim() };
  return { path: made.stdout.trim() };
}

t.test('a block device discards', async t => {
  const file = join(scratchFolder(), 'disk');
  writeFileSync(file, Buffer.alloc(1 << 20, 7));
  const device = loopDevice(file);
  if ('missing' in device) return t.comment(`no loop device: ${device.missing}`);
  const fd = openSync(device.path, 'r+');
  const discarded = one(sqe => sqe.cmdDiscard(fd, 4096, 8192));
  closeSync(fd);
  execFileSync('losetup', ['-d', device.path]);
  if (discarded === -95 || discarded === -22) return t.comment('discards by command came with Linux 6.12');
  t.equal(discarded, 0);
  const bytes = readFileSync(file);
  t.strictSame(
    [4095, 4096, 12287, 12288].map(at => bytes[at]),
    [7, 0, 0, 7],
  );
});
