/** Numbers of system calls: x64 has a table of its own, arm64 the common one. What came after 5.1 has one number. */
const ARM64 = process.arch === 'arm64';

export const NR_READ = ARM64 ? 63 : 0;
export const NR_WRITE = ARM64 ? 64 : 1;
export const NR_SENDTO = ARM64 ? 206 : 44;
export const NR_FCNTL = ARM64 ? 25 : 72;
export const NR_FTRUNCATE = ARM64 ? 46 : 77;
export const NR_FCHMOD = ARM64 ? 52 : 91;
export const NR_GETRUSAGE = ARM64 ? 165 : 98;
export const NR_FSTATFS = ARM64 ? 44 : 138;
export const NR_GETTID = ARM64 ? 178 : 186;
export const NR_GETDENTS64 = ARM64 ? 61 : 217;
export const NR_TGKILL = ARM64 ? 131 : 234;
export const NR_OPENAT = ARM64 ? 56 : 257;
export const NR_MKDIRAT = ARM64 ? 34 : 258;
export const NR_UNLINKAT = ARM64 ? 35 : 263;
export const NR_LINKAT = ARM64 ? 37 : 265;
export const NR_READLINKAT = ARM64 ? 78 : 267;
export const NR_FCHMODAT = ARM64 ? 53 : 268;
export const NR_RENAMEAT2 = ARM64 ? 276 : 316;
export const NR_PREADV2 = ARM64 ? 286 : 327;
export const NR_PWRITEV2 = ARM64 ? 287 : 328;
export const NR_STATX = ARM64 ? 291 : 332;
export const NR_IO_URING_SETUP = 425;
export const NR_IO_URING_ENTER = 426;
export const NR_IO_URING_REGISTER = 427;
export const NR_OPENAT2 = 437;
export const NR_FACCESSAT2 = 439;
