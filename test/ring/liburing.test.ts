/** The 64 bytes of each builder method against those that liburing's function of the same name makes. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { Message, type Sqe } from 'uasync/ring';
import { SQE } from '../../src/ring/abi/structs.js';
import { newDraft } from '../../src/ring/sqe/draft.js';
import { addressOf } from '../../src/sys/memory/address.js';
import { Scratch } from '../../src/sys/memory/scratch.js';
import { AddressBuffer } from '../../src/sys/socket/address-buffer.js';
import { hasCompiler } from '../compiler.js';
import { scratchFolder } from '../harness.js';

/** The system's, or a newer one beside its `liburing/`. */
const HEADER = process.env.UASYNC_LIBURING_HEADER ?? '/usr/include/liburing.h';

const missing = !hasCompiler ? 'no C compiler (cc)' : !existsSync(HEADER) ? `no ${HEADER}` : false;

const buffer = Buffer.alloc(4096);
const at = `(void *)${addressOf(buffer)}UL`;
const fds = new Int32Array(2);
const FDS = `(void *)${addressOf(fds)}UL`;
const peer = new AddressBuffer();
const PEER = `(void *)${addressOf(peer.sockaddr)}UL, (void *)${addressOf(peer.length)}UL`;
const message = new Message({ buffers: [buffer], address: true, control: 64 });
const HEADER_AT = `(void *)${addressOf(message.header)}UL`;
const ip = { address: '127.0.0.1', family: 'IPv4', port: 80 } as const;
const BIG = 2 ** 40 + 7;
const MOST = 2n ** 64n - 1n;

/**
 * The function without its prefix, its arguments in C, and the same in ours. $off, $addr and $addr3 stand for pointers
 * into our scratch memory, as that field of our entry has them. `|` separates calls.
 */
const ROWS: [name: string, args: string, fill: (sqe: Sqe) => unknown][] = [
  ['splice', '5, -1, 6, 70000000000, 4096, 3', s => s.splice(5, -1, 6, 7e10, 4096, 3)],
  ['splice', '5, 70000000000, 6, -1, 4096, 1U << 31', s => s.splice(5, 7e10, 6, -1, 4096, 2 ** 31)],
  ['tee', '5, 6, 4096, 2', s => s.tee(5, 6, 4096, 2)],
  ['readv', '5, $addr, 2, -1', s => s.readv(5, [buffer, buffer])],
  ['readv2', `5, $addr, 2, ${BIG}, 8`, s => s.readv(5, [buffer, buffer], BIG, 8)],
  ['writev', '5, $addr, 1, -1', s => s.writev(5, [buffer])],
  ['writev2', `5, $addr, 1, ${BIG}, 2`, s => s.writev(5, [buffer], BIG, 2)],
  ['read_fixed', `5, ${at}, 4096, ${BIG}, 65535`, s => s.readFixed(5, buffer, BIG, 65535)],
  ['write_fixed', `5, ${at}, 4096, -1, 3`, s => s.writeFixed(5, buffer, -1, 3)],
  ['readv_fixed', '5, $addr, 1, 0, 8, 9', s => s.readvFixed(5, [buffer], 0, 8, 9)],
  ['writev_fixed', '5, $addr, 1, 0, 2, 9', s => s.writevFixed(5, [buffer], 0, 2, 9)],
  ['recvmsg', `5, ${HEADER_AT}, 0x40000022`, s => s.recvmsg(5, message, 0x22)],
  ['recvmsg', `5, ${HEADER_AT}, 0x22`, s => s.recvmsg(5, message, 0x22).inherit()],
  [
    'recvmsg_multishot',
    `5, ${HEADER_AT}, 0x40000000 | sqe->flags |= IOSQE_BUFFER_SELECT; sqe->buf_group = 7`,
    s => s.recvmsgMultishot(5, message, 7),
  ],
  ['sendmsg', `5, ${HEADER_AT}, 0x4000`, s => s.sendmsg(5, message)],
  ['sendmsg_zc', `5, ${HEADER_AT}, 0x4040`, s => s.sendmsgZc(5, message, 0x4040)],
  ['sendmsg_zc_fixed', `5, ${HEADER_AT}, 0x4000, 6`, s => s.sendmsgZcFixed(5, message, 0x4000, 6)],
  ['poll_add', '5, 0x2005', s => s.pollAdd(5, 0x2005)],
  ['poll_add', '5, 0x80000001', s => s.pollAdd(5, 0x80000001)],
  ['poll_multishot', '5, 1', s => s.pollMultishot(5, 1)],
  ['poll_remove', `${MOST}U`, s => s.pollRemove(MOST)],
  ['poll_update', `${MOST}U, ${BIG}, 4, 3`, s => s.pollUpdate(MOST, BIG, 4, 3)],
  ['fsync', '5, 1', s => s.fsync(5, 1)],
  ['nop', '', s => s.nop()],
  ['timeout', '$addr, 3, 0x44', s => s.timeout(1500.25, 3, 0x44)],
  ['timeout_remove', `${BIG}, 0`, s => s.timeoutRemove(BIG)],
  ['timeout_update', `$off, ${MOST}U, 0x10`, s => s.timeoutUpdate(MOST, 5, 0x10)],
  ['link_timeout', '$addr, 8', s => s.linkTimeout(5, 8)],
  ['accept', `5, NULL, NULL, ${0x80800}`, s => s.accept(5, 0x800)],
  ['accept', `5, ${PEER}, 0`, s => s.accept(5, 0, peer).inherit()],
  ['accept_direct', `5, ${PEER}, 0x800, 9`, s => s.acceptDirect(5, 0x800, 9, peer)],
  // liburing 2.3 forgets that FILE_INDEX_ALLOC counts from 1.
  ['accept_direct', '5, NULL, NULL, 0, IORING_FILE_INDEX_ALLOC - 1', s => s.acceptDirect(5, 0, -1)],
  ['multishot_accept', `5, NULL, NULL, ${0x80000}`, s => s.multishotAccept(5)],
  ['multishot_accept_direct', '5, NULL, NULL, 0x800', s => s.multishotAcceptDirect(5, 0x800)],
  ['cancel64', `${MOST}U, 3`, s => s.cancel(MOST, 3)],
  ['cancel', '(void *)12, 0', s => s.cancel(12)],
  ['cancel64', '0, 4', s => s.cancelAny()],
  ['cancel64', '0, 0x21 | sqe->len = 22', s => s.cancelOp(22, 1)],
  ['cancel_fd', '5, 9', s => s.cancelFd(5, 9)],
  ['connect', '5, $addr, 16', s => s.connect(5, ip)],
  ['bind', '5, $addr, 16', s => s.bind(5, ip)],
  ['listen', '5, 511', s => s.listen(5, 511)],
  ['epoll_wait', `5, ${at}, 341, 0`, s => s.epollWait(5, buffer)],
  ['epoll_ctl', '5, 6, 1, $addr', s => s.epollCtl(5, 1, 6, 1, 2)],
  ['files_update', `${FDS}, 2, 40`, s => s.filesUpdate(fds, 40)],
  ['fallocate', `5, 3, ${BIG}, ${BIG}`, s => s.fallocate(5, 3, BIG, BIG)],
  ['openat', '-100, $addr, 0x80041, 0644', s => s.openat(-100, '/x', 0x41, 0o644)],
  ['openat', '7, $addr, 0x41, 0644', s => s.openat(7, '/x', 0x41, 0o644).inherit()],
  ['open', '$addr, 0x80000, 0', s => s.open('/x', 0)],
  ['openat_direct', '7, $addr, 0x41, 0644, 3', s => s.openatDirect(7, '/x', 0x41, 0o644, 3)],
  ['open_direct', '$addr, 1, 0, IORING_FILE_INDEX_ALLOC', s => s.openDirect('/x', 1, 0, -1)],
  ['openat2', '7, $addr, $off', s => s.openat2(7, '/x', { flags: 0 })],
  ['openat2_direct', '7, $addr, $off, 8', s => s.openat2Direct(7, '/x', { flags: 0 }, 8)],
  ['close', '5', s => s.close(5)],
  ['close_direct', '5', s => s.closeDirect(5)],
  ['read', `5, ${at}, 4096, ${BIG}`, s => s.read(5, buffer, BIG)],
  [
    'read',
    '5, (void *)-1, 100, -1 | sqe->flags = 32; sqe->buf_group = 3',
    s => s.read(5, 100).bufferSelect(3),
  ],
  ['read_multishot', '5, 100, -1, 7', s => s.readMultishot(5, 100, -1, 7)],
  ['write', `5, ${at}, 4096, -1`, s => s.write(5, buffer)],
  ['statx', `-100, $addr, 0x100, 0xfff, ${at}`, s => s.statx(-100, 'x', 0x100, 0xfff, buffer)],
  ['fadvise', '5, 70000000000, 4096, 3', s => s.fadvise(5, 7e10, 4096, 3)],
  ['fadvise64', `5, 0, ${BIG}, 3`, s => s.fadvise(5, 0, BIG, 3)],
  ['madvise', `${at}, 4096, 3`, s => s.madvise(buffer, 3)],
  ['send', `5, ${at}, 4096, 0x4000`, s => s.send(5, buffer)],
  ['send_bundle', '5, 100, 0x4000 | sqe->flags = 32; sqe->buf_group = 3', s => s.sendBundle(5, 3, 100)],
  ['sendto', `5, ${at}, 4096, 0x4000, $off, 16`, s => s.sendto(5, buffer, ip)],
  [
    'send',
    `5, ${at}, 4096, 0x4000 | io_uring_prep_send_set_addr(sqe, $off, 16)`,
    s => s.send(5, buffer).sendSetAddr(ip),
  ],
  ['send_zc', `5, ${at}, 4096, 0x4000, 8`, s => s.sendZc(5, buffer, 0x4000, 8)],
  ['send_zc_fixed', `5, ${at}, 4096, 0x4000, 8, 6`, s => s.sendZcFixed(5, buffer, 0x4000, 8, 6)],
  ['recv', `5, ${at}, 4096, 0x100`, s => s.recv(5, buffer, 0x100)],
  ['recv', `5, ${at}, 4096, 0 | sqe->ioprio = 0x11`, s => s.recv(5, buffer).bundle().pollFirst()],
  ['recv_multishot', '5, NULL, 0, 2 | sqe->flags = 32; sqe->buf_group = 7', s => s.recvMultishot(5, 7, 2)],
  ['provide_buffers', `${at}, 1024, 4, 7, 65535`, s => s.provideBuffers(buffer, 1024, 4, 7, 65535)],
  ['remove_buffers', '4, 7', s => s.removeBuffers(4, 7)],
  ['shutdown', '5, 2', s => s.shutdown(5, 2)],
  ['unlinkat', '7, $addr, 0x200', s => s.unlinkat(7, 'x', 0x200)],
  ['unlink', '$addr, 0', s => s.unlink('x')],
  ['renameat', '7, $addr, -100, $off, 1', s => s.renameat(7, 'x', -100, 'y', 1)],
  ['rename', '$addr, $off', s => s.rename('x', 'y')],
  ['sync_file_range', `5, 4096, ${BIG}, 7`, s => s.syncFileRange(5, 4096, BIG, 7)],
  ['mkdirat', '7, $addr, 0755', s => s.mkdirat(7, 'x', 0o755)],
  ['mkdir', '$addr, 0777', s => s.mkdir('x')],
  ['symlinkat', '$addr, 7, $off', s => s.symlinkat('x', 7, 'y')],
  ['symlink', '$addr, $off', s => s.symlink('x', 'y')],
  ['linkat', '7, $addr, 8, $off, 0x400', s => s.linkat(7, 'x', 8, 'y', 0x400)],
  ['link', '$addr, $off, 0', s => s.linkPath('x', 'y')],
  ['msg_ring', `5, 0xfffffff0, ${MOST}U, 1`, s => s.msgRing(5, -16, MOST, 1)],
  ['msg_ring_cqe_flags', '5, 1, 2, 0, 0x80000001', s => s.msgRingCqeFlags(5, 1, 2, 0, 0x80000001)],
  ['msg_ring_fd', `5, 6, 7, ${BIG}, 0`, s => s.msgRingFd(5, 6, 7, BIG)],
  ['msg_ring_fd_alloc', `5, 6, ${BIG}, 1`, s => s.msgRingFdAlloc(5, 6, BIG, 1)],
  ['getxattr', `$addr, ${at}, $addr3, 4096`, s => s.getxattr('/x', 'user.a', buffer)],
  ['setxattr', `$addr, ${at}, $addr3, 1, 4096`, s => s.setxattr('/x', 'user.a', buffer, 1)],
  ['fgetxattr', `5, $addr, ${at}, 4096`, s => s.fgetxattr(5, 'user.a', buffer)],
  ['fsetxattr', `5, $addr, ${at}, 2, 4096`, s => s.fsetxattr(5, 'user.a', buffer, 2)],
  ['socket', `10, ${0x80801}, 6, 0`, s => s.socket(10, 0x801, 6)],
  ['socket', '10, 0x801, 6, 0', s => s.socket(10, 0x801, 6).inherit()],
  ['socket_direct', '10, 1, 6, 3, 0', s => s.socketDirect(10, 1, 6, 3)],
  ['socket_direct_alloc', '10, 1, 0, 0', s => s.socketDirectAlloc(10, 1)],
  ['uring_cmd', '0x80001234, 5', s => s.uringCmd(5, 0x80001234)],
  ['cmd_sock', '1, 5, 0, 0, NULL, 0', s => s.cmdSockQueue(1, 5)],
  ['cmd_sock', `2, 5, 1, 4, ${at}, 4096`, s => s.cmdGetsockopt(5, 1, 4, buffer)],
  [
    'cmd_sock',
    `3, 5, 0x7fffffff, 0x7ffffffe, ${at}, 4096`,
    s => s.cmdSetsockopt(5, 0x7fffffff, 0x7ffffffe, buffer),
  ],
  ['cmd_getsockname', `5, ${PEER}, 1`, s => s.cmdGetsockname(5, peer, true)],
  ['waitid', `1, 1234, ${at}, 0x5, 0`, s => s.waitid(1, 1234, buffer, 5)],
  ['futex_wait', `${FDS}, 0xffffffffUL, 0xffffffffUL, 130, 0`, s => s.futexWait(fds, -1)],
  ['futex_wake', `${FDS}, 3, 1, 2, 0`, s => s.futexWake(fds, 3, 1, 2)],
  ['futex_waitv', '$addr, 1, 0', s => s.futexWaitv([{ futex: fds, value: 0 }])],
  ['fixed_fd_install', '5, 1', s => s.fixedFdInstall(5).inherit()],
  ['ftruncate', `5, ${BIG}`, s => s.ftruncate(5, BIG)],
  ['cmd_discard', `5, ${BIG}, ${BIG}`, s => s.cmdDiscard(5, BIG, BIG)],
  ['pipe', `${FDS}, ${0x80800}`, s => s.pipe(fds, 0x800)],
  ['pipe_direct', `${FDS}, 0x800, IORING_FILE_INDEX_ALLOC`, s => s.pipeDirect(fds, 0x800, -1)],
];

/** Functions for entries of 128 bytes, and those that another one of ours stands for. */
const ELSEWHERE = new Set([
  'rw',
  'nop128',
  'uring_cmd128',
  'send_set_addr',
  'madvise64',
  'cmd_zone_reset_all',
]);

t.test('each method fills the entry as liburing does', { skip: missing }, async t => {
  const header = readFileSync(HEADER, 'latin1');
  const known = [...header.matchAll(/\bio_uring_prep_([a-z0-9_]+)\(struct io_uring_sqe/g)].map(
    match => match[1]!,
  );
  const covered = new Set(ROWS.map(([name]) => name));
  for (const name of new Set(known)) t.ok(covered.has(name) || ELSEWHERE.has(name), `${name} is compared`);

  const scratch = new Scratch();
  const rows = ROWS.filter(([name]) => known.includes(name)).map(([name, args, fill]) => {
    const sqe = newDraft(scratch);
    fill(sqe);
    const bytes = Buffer.from(sqe.words.buffer, 0, SQE.size);
    const field = (word: number): string => `(void *)${bytes.readBigUInt64LE(word * 4)}UL`;
    const [first, ...more] = args
      .replaceAll('$off', field(SQE.off))
      .replaceAll('$addr3', field(SQE.addr3))
      .replaceAll('$addr', field(SQE.addr))
      .split(' | ');
    const call = `io_uring_prep_${name}(sqe${first === '' ? '' : `, ${first}`}); ${more.join(';')};`;
    return { name, args, call, ours: bytes.toString('hex') };
  });
  const source = `
    #define _GNU_SOURCE
    #include <stdio.h>
    #include <string.h>
    #include <sys/wait.h>
    #include "${HEADER}"
    int main(void) {
      struct io_uring_sqe entry, *sqe = &entry;
      ${rows
        .map(
          ({ call }) => `
      memset(sqe, 0, sizeof entry);
      ${call}
      for (int i = 0; i < 64; i++) printf("%02x", ((unsigned char *)sqe)[i]);
      puts("");`,
        )
        .join('')}
    }`;
  const folder = scratchFolder();
  const program = join(folder, 'entries');
  writeFileSync(`${program}.c`, source);
  execFileSync('cc', ['-w', '-I', dirname(HEADER), '-o', program, `${program}.c`]);
  const theirs = execFileSync(program, { encoding: 'latin1' }).trim().split('\n');
  for (const [i, { name, args, ours }] of rows.entries()) t.equal(ours, theirs[i], `${name}(${args})`);
  t.ok(rows.length > 60, `${rows.length} calls`);
  scratch.unmap();
});
