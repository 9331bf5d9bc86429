/** Constants of plain system calls on files that no operation of a ring takes: `uasync/ring` exports those of flags.ts. */

// fcntl(2): commands, and the flag of F_SETFD
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const FD_CLOEXEC = 1;

/** Use cached attributes; do not ask a file server. statx(2) */
export const AT_STATX_DONT_SYNC = 0x4000;
