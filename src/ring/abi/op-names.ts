/** The names of operations, by their OP_ values in io-uring.ts. Deriving them from all of its constants would slow the start. */
const NAMES = [
  'nop',
  'readv',
  'writev',
  'fsync',
  'read_fixed',
  'write_fixed',
  'poll_add',
  'poll_remove',
  'sync_file_range',
  'sendmsg',
  'recvmsg',
  'timeout',
  'timeout_remove',
  'accept',
  'async_cancel',
  'link_timeout',
  'connect',
  'fallocate',
  'openat',
  'close',
  'files_update',
  'statx',
  'read',
  'write',
  'fadvise',
  'madvise',
  'send',
  'recv',
  'openat2',
  'epoll_ctl',
  'splice',
  'provide_buffers',
  'remove_buffers',
  'tee',
  'shutdown',
  'renameat',
  'unlinkat',
  'mkdirat',
  'symlinkat',
  'linkat',
  'msg_ring',
  'fsetxattr',
  'setxattr',
  'fgetxattr',
  'getxattr',
  'socket',
  'uring_cmd',
  'send_zc',
  'sendmsg_zc',
  'read_multishot',
  'waitid',
  'futex_wait',
  'futex_wake',
  'futex_waitv',
  'fixed_fd_install',
  'ftruncate',
  'bind',
  'listen',
  'recv_zc',
  'epoll_wait',
  'readv_fixed',
  'writev_fixed',
  'pipe',
  'nop128',
  'uring_cmd128',
] as const;

/** The name of an operation, in lower case: 'read', 'openat' … */
export type OpName = (typeof NAMES)[number];

const opcodes = new Map<string, number>(NAMES.map((name, opcode) => [name, opcode]));

/** The name of an OP_ value, for errors. */
export function nameOf(opcode: number): string {
  return NAMES[opcode] ?? `op ${opcode}`;
}

/** The OP_ value of a name. */
export function opcodeOf(name: OpName): number {
  return opcodes.get(name)!;
}
