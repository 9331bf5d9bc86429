/** Flags of the system calls behind the operations, with Linux's values, where Node has no constant. */

// poll(2): events to poll for, and events that occurred
export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLRDHUP = 0x2000;

// epoll_ctl(2): operations. Events are those of poll(2), and these
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLEXCLUSIVE = 1 << 28;
export const EPOLLONESHOT = 1 << 30;
export const EPOLLET = 1 << 31;

// open(2), the same on x64 and arm64; the access mode is one of O_RDONLY, O_WRONLY and O_RDWR
export const O_ACCMODE = 0o3;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

// preadv2(2): flags of `readv` and `writev`
export const RWF_HIPRI = 0x1;
export const RWF_DSYNC = 0x2;
export const RWF_SYNC = 0x4;
export const RWF_NOWAIT = 0x8;
export const RWF_APPEND = 0x10;

// splice(2), tee(2); SPLICE_F_FD_IN_FIXED is io_uring's own
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;
export const SPLICE_F_MORE = 4;

// fallocate(2)
export const FALLOC_FL_KEEP_SIZE = 0x1;
export const FALLOC_FL_PUNCH_HOLE = 0x2;
export const FALLOC_FL_COLLAPSE_RANGE = 0x8;
export const FALLOC_FL_ZERO_RANGE = 0x10;
export const FALLOC_FL_INSERT_RANGE = 0x20;

// sync_file_range(2)
export const SYNC_FILE_RANGE_WAIT_BEFORE = 1;
export const SYNC_FILE_RANGE_WRITE = 2;
export const SYNC_FILE_RANGE_WAIT_AFTER = 4;

// posix_fadvise(2)
export const POSIX_FADV_NORMAL = 0;
export const POSIX_FADV_RANDOM = 1;
export const POSIX_FADV_SEQUENTIAL = 2;
export const POSIX_FADV_WILLNEED = 3;
export const POSIX_FADV_DONTNEED = 4;
export const POSIX_FADV_NOREUSE = 5;

// madvise(2): those that change no contents
export const MADV_NORMAL = 0;
export const MADV_RANDOM = 1;
export const MADV_SEQUENTIAL = 2;
export const MADV_WILLNEED = 3;

// openat2(2): `resolve`
export const RESOLVE_NO_XDEV = 0x1;
export const RESOLVE_NO_MAGICLINKS = 0x2;
export const RESOLVE_NO_SYMLINKS = 0x4;
export const RESOLVE_BENEATH = 0x8;
export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_CACHED = 0x20;

// setxattr(2)
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;

// The calls that take paths, and renameat2(2)
/** The directory fd that stands for the current directory in the -at calls. openat(2) */
export const AT_FDCWD = -100;
/** The `fd` argument is the file if the path is empty. statx(2) */
export const AT_EMPTY_PATH = 0x1000;
/** Do not follow a symbolic link at the end of the path. statx(2) */
export const AT_SYMLINK_NOFOLLOW = 0x100;
/** Follow a symbolic link at the end of the path. linkat(2) */
export const AT_SYMLINK_FOLLOW = 0x400;
/** `unlinkat` removes a directory. unlinkat(2) */
export const AT_REMOVEDIR = 0x200;
/** All fields that stat(2) has. statx(2) */
export const STATX_BASIC_STATS = 0x7ff;
/** The time of creation. statx(2) */
export const STATX_BTIME = 0x800;
/** The requirements of O_DIRECT, 6.1. */
export const STATX_DIOALIGN = 0x2000;
/** Fail if the new path exists. renameat2(2) */
export const RENAME_NOREPLACE = 1;
/** Exchange the two paths. renameat2(2) */
export const RENAME_EXCHANGE = 2;
