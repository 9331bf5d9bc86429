/** Every constant, size and offset against the kernel's headers, through a C compiler. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as abi from '../../src/ring/abi/io-uring.js';
import * as uring from '../../src/ring/abi/structs.js';
import * as flags from '../../src/sys/abi/flags.js';
import * as socketAbi from '../../src/sys/abi/sockets.js';
import * as sys from '../../src/sys/abi/structs.js';
import { hasCompiler } from '../compiler.js';
import { scratchFolder } from '../harness.js';

const structs = { ...uring, ...sys };

/** The kernel's own, or a newer one, for instance liburing's src/include/liburing/io_uring.h. */
const HEADER = process.env.UASYNC_URING_HEADER ?? '/usr/include/linux/io_uring.h';

const QUERY_HEADER = HEADER.replace(/\.h$/, '/query.h');

/** What a struct has between its braces, or ''. */
function structBody(header: string, type: string): string {
  return new RegExp(`${type} \\{([\\s\\S]*?)\n\\}`).exec(header)?.[1] ?? '';
}

const missing = !hasCompiler ? 'no C compiler (cc)' : !existsSync(HEADER) ? `no ${HEADER}` : false;

/** Our name of a constant, in the header's words. */
function headerName(name: string): string {
  if (name.startsWith('SQE_')) return `IOSQE_${name.slice(4)}`;
  if (name.startsWith('PBUF_RING_')) return `IOU_${name}`;
  if (name.startsWith('QUERY_')) return `IO_URING_${name}`;
  if (name === 'OP_SUPPORTED') return 'IO_URING_OP_SUPPORTED';
  if (name.startsWith('SOCKET_URING_OP_')) return name;
  if (/^(ZCRX_(REG|CTRL|FEATURE)_|IO_WQ_|SPLICE_F_)/.test(name)) return name;
  return `IORING_${name}`;
}

/** Constants of the header that mean nothing to who uses a ring. */
const NO_USE = /_LAST$|^IORING_OFF_MMAP_MASK$|^IORING_ZCRX_AREA_MASK$/;

/** The names of a header's flags and values. */
function constantsOf(header: string): string[] {
  const defines = header.matchAll(/^#define\s+((?:IO|SPLICE_F|ZCRX)\w+)\s+\S/gm);
  const members = header.matchAll(/^\s+((?:IO|ZCRX)[A-Z0-9]*_\w+)\s*(?:=[^,]*)?,?\s*(?:\/\*.*)?$/gm);
  return [...defines, ...members].map(match => match[1]!).filter(name => !NO_USE.test(name));
}

/** Structs whose fields have the header's names; the SQE's are words of the builder's own. */
const C_STRUCTS: [type: string, ours: Record<string, number>][] = [
  ['struct io_uring_cqe', structs.CQE],
  ['struct io_uring_params', structs.PARAMS],
  ['struct io_sqring_offsets', structs.SQ_OFF],
  ['struct io_cqring_offsets', structs.CQ_OFF],
  ['struct io_uring_probe', structs.PROBE],
  ['struct io_uring_probe_op', structs.PROBE_OP],
  ['struct io_uring_buf', structs.BUF],
  ['struct io_uring_buf_reg', structs.BUF_REG],
  ['struct __kernel_timespec', structs.TIMESPEC],
  ['struct sockaddr_in', structs.SOCKADDR_IN],
  ['struct sockaddr_in6', structs.SOCKADDR_IN6],
  ['struct sockaddr_un', structs.SOCKADDR_UN],
  ['struct statx', structs.STATX],
  ['struct epoll_event', structs.EPOLL_EVENT],
  ['struct pollfd', structs.POLLFD],
  ['struct __kernel_itimerspec', structs.ITIMERSPEC],
  ['struct mmsghdr', structs.MMSGHDR],
  ['struct statfs', structs.STATFS],
  ['struct dirent64', structs.DIRENT64],
  ['struct rusage', structs.RUSAGE],
  ['struct statx_timestamp', structs.STATX_TIMESTAMP],
  ['struct iovec', structs.IOVEC],
  ['struct io_uring_rsrc_register', structs.RSRC_REGISTER],
  ['struct io_uring_rsrc_update2', structs.RSRC_UPDATE2],
  ['struct io_uring_sync_cancel_reg', structs.SYNC_CANCEL_REG],
  ['struct io_uring_file_index_range', structs.FILE_INDEX_RANGE],
  ['struct io_uring_restriction', structs.RESTRICTION],
  ['struct msghdr', structs.MSGHDR],
  ['struct cmsghdr', structs.CMSGHDR],
  ['struct in_pktinfo', structs.IN_PKTINFO],
  ['struct in6_pktinfo', structs.IN6_PKTINFO],
  ['struct ip_mreq', structs.IP_MREQ],
  ['struct ip_mreq_source', structs.IP_MREQ_SOURCE],
  ['struct ipv6_mreq', structs.IPV6_MREQ],
  ['struct group_source_req', structs.GROUP_SOURCE_REQ],
  ['struct tcp_info', structs.TCP_INFO_FIELDS],
  ['struct io_uring_recvmsg_out', structs.RECVMSG_OUT],
  ['struct open_how', structs.OPEN_HOW],
  ['struct futex_waitv', structs.FUTEX_WAITV],
  ['struct io_uring_getevents_arg', structs.GETEVENTS_ARG],
  ['struct io_uring_clone_buffers', structs.CLONE_BUFFERS],
  ['struct io_uring_buf_status', structs.BUF_STATUS],
  ['struct io_uring_napi', structs.NAPI],
  ['struct io_uring_clock_register', structs.CLOCK_REGISTER],
  ['struct io_uring_region_desc', structs.REGION_DESC],
  ['struct io_uring_mem_region_reg', structs.MEM_REGION_REG],
  ['struct io_uring_reg_wait', structs.REG_WAIT],
  ['struct io_uring_query_hdr', structs.QUERY_HDR],
  ['struct io_uring_query_opcode', structs.QUERY_OPCODE],
  ['struct io_uring_zcrx_rqe', structs.ZCRX_RQE],
  ['struct io_uring_zcrx_cqe', structs.ZCRX_CQE],
  ['struct io_uring_zcrx_area_reg', structs.ZCRX_AREA_REG],
  ['struct io_uring_zcrx_ifq_reg', structs.ZCRX_IFQ_REG],
];

const SQE_WORDS: [word: number, field: string][] = [
  [structs.SQE.op, 'opcode'],
  [structs.SQE.fd, 'fd'],
  [structs.SQE.off, 'off'],
  [structs.SQE.addr, 'addr'],
  [structs.SQE.len, 'len'],
  [structs.SQE.opFlags, 'rw_flags'],
  [structs.SQE.userData, 'user_data'],
  [structs.SQE.buf, 'buf_index'],
  [structs.SQE.file, 'splice_fd_in'],
  [structs.SQE.addr3, 'addr3'],
];

t.test('the ABI is the one of the headers', { skip: missing }, async t => {
  const header = [HEADER, QUERY_HEADER]
    .map(path => (existsSync(path) ? readFileSync(path, 'latin1') : ''))
    .join('');
  const known = (name: string): boolean => new RegExp(`\\b${name}\\b`).test(header);
  const checks: [label: string, expression: string, ours: number][] = [];
  for (const [name, value] of Object.entries(abi)) {
    const theirs = headerName(name);
    // OP_LAST differs from header to header.
    if (name !== 'OP_LAST' && known(theirs)) checks.push([theirs, `(long long)(int)(${theirs})`, value | 0]);
  }
  t.ok(checks.length > 100, `${checks.length} constants are known to this header`);
  const names = new Set(Object.keys(abi).map(headerName));
  for (const name of constantsOf(header)) t.ok(names.has(name), `${name} is exported`);
  for (const [name, value] of Object.entries({ ...flags, ...socketAbi })) {
    checks.push([name, `(long long)(int)(${name})`, value]);
  }
  for (const [type, ours] of C_STRUCTS) {
    // An older header may lack a struct of io_uring, or some of its fields.
    const body = /^struct io_[a-z]*ring/.test(type) ? structBody(header, type) : undefined;
    for (const [field, value] of Object.entries(ours)) {
      const theirs = field === 'size_' ? 'size' : field;
      if (
        body !== undefined &&
        (body === '' || (field !== 'size' && !new RegExp(`\\b${theirs}\\b`).test(body)))
      )
        continue;
      const expression = field === 'size' ? `sizeof(${type})` : `offsetof(${type}, ${theirs})`;
      checks.push([`${type}.${field}`, expression, value]);
    }
  }
  checks.push(['sizeof sqe', 'sizeof(struct io_uring_sqe)', structs.SQE.size]);
  for (const [word, field] of SQE_WORDS) {
    checks.push([`sqe.${field}`, `offsetof(struct io_uring_sqe, ${field})`, word * 4]);
  }
  const source = `
    #define _GNU_SOURCE
    #include <stddef.h>
    #include <stdio.h>
    #include <netinet/in.h>
    #include <linux/tcp.h>
    #include <netinet/udp.h>
    #include <dirent.h>
    #include <sys/un.h>
    #include "${HEADER}"
    ${existsSync(QUERY_HEADER) ? `#include "${QUERY_HEADER}"` : ''}
    #include <linux/futex.h>
    #include <linux/openat2.h>
    #include <linux/stat.h>
    #include <sys/vfs.h>
    #include <sys/resource.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <linux/time_types.h>
    #include <fcntl.h>
    #include <poll.h>
    #include <sys/epoll.h>
    #include <sys/mman.h>
    #include <sys/xattr.h>
    int main(void) {
      ${checks.map(([, expression]) => `printf("%lld\\n", (long long)(${expression}));`).join('\n')}
    }`;
  const folder = scratchFolder();
  writeFileSync(join(folder, 'abi.c'), source);
  execFileSync('cc', ['-o', join(folder, 'abi'), join(folder, 'abi.c')]);
  const theirs = execFileSync(join(folder, 'abi'), { encoding: 'latin1' }).trim().split('\n').map(Number);
  for (const [i, [label, , ours]] of checks.entries()) t.equal(ours, theirs[i], label);
});

t.test('opcodes are consecutive', async t => {
  const ops = Object.entries(abi)
    .filter(([name]) => name.startsWith('OP_') && name !== 'OP_LAST' && name !== 'OP_SUPPORTED')
    .map(([, value]) => value)
    .sort((a, b) => a - b);
  t.strictSame(ops, [...Array(abi.OP_LAST).keys()]);
});
