/**
 * The io_uring ABI as data. Every name is the one in `linux/io_uring.h` without its `IORING_` (or `IOSQE_`, `IOU_`)
 * prefix. The comment beside it names the first kernel that has it. `test/ring/abi.test.ts` compares all of them with
 * the header through a C compiler.
 */

// Opcodes: enum io_uring_op
export const OP_NOP = 0; // 5.1
export const OP_READV = 1; // 5.1
export const OP_WRITEV = 2; // 5.1
export const OP_FSYNC = 3; // 5.1
export const OP_READ_FIXED = 4; // 5.1
export const OP_WRITE_FIXED = 5; // 5.1
export const OP_POLL_ADD = 6; // 5.1
export const OP_POLL_REMOVE = 7; // 5.1
export const OP_SYNC_FILE_RANGE = 8; // 5.2
export const OP_SENDMSG = 9; // 5.3
export const OP_RECVMSG = 10; // 5.3
export const OP_TIMEOUT = 11; // 5.4
export const OP_TIMEOUT_REMOVE = 12; // 5.5
export const OP_ACCEPT = 13; // 5.5
export const OP_ASYNC_CANCEL = 14; // 5.5
export const OP_LINK_TIMEOUT = 15; // 5.5
export const OP_CONNECT = 16; // 5.5
export const OP_FALLOCATE = 17; // 5.6
export const OP_OPENAT = 18; // 5.6
export const OP_CLOSE = 19; // 5.6
export const OP_FILES_UPDATE = 20; // 5.6
export const OP_STATX = 21; // 5.6
export const OP_READ = 22; // 5.6
export const OP_WRITE = 23; // 5.6
export const OP_FADVISE = 24; // 5.6
export const OP_MADVISE = 25; // 5.6
export const OP_SEND = 26; // 5.6
export const OP_RECV = 27; // 5.6
export const OP_OPENAT2 = 28; // 5.6
export const OP_EPOLL_CTL = 29; // 5.6
export const OP_SPLICE = 30; // 5.7
export const OP_PROVIDE_BUFFERS = 31; // 5.7
export const OP_REMOVE_BUFFERS = 32; // 5.7
export const OP_TEE = 33; // 5.8
export const OP_SHUTDOWN = 34; // 5.11
export const OP_RENAMEAT = 35; // 5.11
export const OP_UNLINKAT = 36; // 5.11
export const OP_MKDIRAT = 37; // 5.15
export const OP_SYMLINKAT = 38; // 5.15
export const OP_LINKAT = 39; // 5.15
export const OP_MSG_RING = 40; // 5.18
export const OP_FSETXATTR = 41; // 5.19
export const OP_SETXATTR = 42; // 5.19
export const OP_FGETXATTR = 43; // 5.19
export const OP_GETXATTR = 44; // 5.19
export const OP_SOCKET = 45; // 5.19
export const OP_URING_CMD = 46; // 5.19
export const OP_SEND_ZC = 47; // 6.0
export const OP_SENDMSG_ZC = 48; // 6.1
export const OP_READ_MULTISHOT = 49; // 6.7
export const OP_WAITID = 50; // 6.7
export const OP_FUTEX_WAIT = 51; // 6.7
export const OP_FUTEX_WAKE = 52; // 6.7
export const OP_FUTEX_WAITV = 53; // 6.7
export const OP_FIXED_FD_INSTALL = 54; // 6.8
export const OP_FTRUNCATE = 55; // 6.9
export const OP_BIND = 56; // 6.11
export const OP_LISTEN = 57; // 6.11
export const OP_RECV_ZC = 58; // 6.15
export const OP_EPOLL_WAIT = 59; // 6.15
export const OP_READV_FIXED = 60; // 6.15
export const OP_WRITEV_FIXED = 61; // 6.15
export const OP_PIPE = 62; // 6.16
export const OP_NOP128 = 63; // 6.19
export const OP_URING_CMD128 = 64; // 6.19
export const OP_LAST = 65;

// sqe->flags
export const SQE_FIXED_FILE = 1 << 0; // 5.1
export const SQE_IO_DRAIN = 1 << 1; // 5.2
export const SQE_IO_LINK = 1 << 2; // 5.3
export const SQE_IO_HARDLINK = 1 << 3; // 5.5
export const SQE_ASYNC = 1 << 4; // 5.6
export const SQE_BUFFER_SELECT = 1 << 5; // 5.7
export const SQE_CQE_SKIP_SUCCESS = 1 << 6; // 5.17

// Bit numbers of those flags, for restrictions
export const SQE_FIXED_FILE_BIT = 0;
export const SQE_IO_DRAIN_BIT = 1;
export const SQE_IO_LINK_BIT = 2;
export const SQE_IO_HARDLINK_BIT = 3;
export const SQE_ASYNC_BIT = 4;
export const SQE_BUFFER_SELECT_BIT = 5;
export const SQE_CQE_SKIP_SUCCESS_BIT = 6;

// io_uring_setup(2): params.flags
export const SETUP_IOPOLL = 1 << 0; // 5.1
export const SETUP_SQPOLL = 1 << 1; // 5.1
export const SETUP_SQ_AFF = 1 << 2; // 5.1
export const SETUP_CQSIZE = 1 << 3; // 5.5
export const SETUP_CLAMP = 1 << 4; // 5.6
export const SETUP_ATTACH_WQ = 1 << 5; // 5.6
export const SETUP_R_DISABLED = 1 << 6; // 5.10
export const SETUP_SUBMIT_ALL = 1 << 7; // 5.18
export const SETUP_COOP_TASKRUN = 1 << 8; // 5.19
export const SETUP_TASKRUN_FLAG = 1 << 9; // 5.19
export const SETUP_SQE128 = 1 << 10; // 5.19
export const SETUP_CQE32 = 1 << 11; // 5.19
export const SETUP_SINGLE_ISSUER = 1 << 12; // 6.0
export const SETUP_DEFER_TASKRUN = 1 << 13; // 6.1
export const SETUP_NO_MMAP = 1 << 14; // 6.5
export const SETUP_REGISTERED_FD_ONLY = 1 << 15; // 6.5
export const SETUP_NO_SQARRAY = 1 << 16; // 6.6
export const SETUP_HYBRID_IOPOLL = 1 << 17; // 6.13
export const SETUP_CQE_MIXED = 1 << 18; // 6.18
export const SETUP_SQE_MIXED = 1 << 19; // 6.19
export const SETUP_SQ_REWIND = 1 << 20; // 7.0

// params.features
export const FEAT_SINGLE_MMAP = 1 << 0; // 5.4
export const FEAT_NODROP = 1 << 1; // 5.5
export const FEAT_SUBMIT_STABLE = 1 << 2; // 5.5
export const FEAT_RW_CUR_POS = 1 << 3; // 5.6
export const FEAT_CUR_PERSONALITY = 1 << 4; // 5.6
export const FEAT_FAST_POLL = 1 << 5; // 5.7
export const FEAT_POLL_32BITS = 1 << 6; // 5.9
export const FEAT_SQPOLL_NONFIXED = 1 << 7; // 5.11
export const FEAT_EXT_ARG = 1 << 8; // 5.11
export const FEAT_NATIVE_WORKERS = 1 << 9; // 5.12
export const FEAT_RSRC_TAGS = 1 << 10; // 5.13
export const FEAT_CQE_SKIP = 1 << 11; // 5.17
export const FEAT_LINKED_FILE = 1 << 12; // 5.17
export const FEAT_REG_REG_RING = 1 << 13; // 6.3
export const FEAT_RECVSEND_BUNDLE = 1 << 14; // 6.10
export const FEAT_MIN_TIMEOUT = 1 << 15; // 6.12
export const FEAT_RW_ATTR = 1 << 16; // 6.14
export const FEAT_NO_IOWAIT = 1 << 17; // 6.15

// mmap(2) offsets
export const OFF_SQ_RING = 0;
export const OFF_CQ_RING = 0x8000000;
export const OFF_SQES = 0x10000000;
export const OFF_PBUF_RING = 0x80000000;
export const OFF_PBUF_SHIFT = 16;

// *sq.flags
export const SQ_NEED_WAKEUP = 1 << 0; // 5.1
export const SQ_CQ_OVERFLOW = 1 << 1; // 5.8
export const SQ_TASKRUN = 1 << 2; // 5.19

// *cq.flags
export const CQ_EVENTFD_DISABLED = 1 << 0; // 5.8

// io_uring_enter(2): flags
export const ENTER_GETEVENTS = 1 << 0; // 5.1
export const ENTER_SQ_WAKEUP = 1 << 1; // 5.1
export const ENTER_SQ_WAIT = 1 << 2; // 5.10
export const ENTER_EXT_ARG = 1 << 3; // 5.11
export const ENTER_REGISTERED_RING = 1 << 4; // 5.18
export const ENTER_ABS_TIMER = 1 << 5; // 6.12
export const ENTER_EXT_ARG_REG = 1 << 6; // 6.13
export const ENTER_NO_IOWAIT = 1 << 7; // 6.15

// cqe->flags
export const CQE_F_BUFFER = 1 << 0; // 5.7
export const CQE_F_MORE = 1 << 1; // 5.13
export const CQE_F_SOCK_NONEMPTY = 1 << 2; // 5.19
export const CQE_F_NOTIF = 1 << 3; // 6.0
export const CQE_F_BUF_MORE = 1 << 4; // 6.12
export const CQE_F_SKIP = 1 << 5; // 6.18
export const CQE_F_32 = 1 << 15; // 6.18
export const CQE_F_TSTAMP_HW = 1 << 16; // 6.17
export const CQE_BUFFER_SHIFT = 16;

// Flags of single operations, in the field that the man page of each operation names
export const FSYNC_DATASYNC = 1 << 0; // 5.1
export const TIMEOUT_ABS = 1 << 0; // 5.5
export const TIMEOUT_UPDATE = 1 << 1; // 5.11
export const TIMEOUT_BOOTTIME = 1 << 2; // 5.15
export const TIMEOUT_REALTIME = 1 << 3; // 5.15
export const LINK_TIMEOUT_UPDATE = 1 << 4; // 5.15
export const TIMEOUT_ETIME_SUCCESS = 1 << 5; // 5.16
export const TIMEOUT_MULTISHOT = 1 << 6; // 6.4
export const TIMEOUT_IMMEDIATE_ARG = 1 << 7; // 7.1
export const TIMEOUT_CLOCK_MASK = TIMEOUT_BOOTTIME | TIMEOUT_REALTIME; // 5.15
export const TIMEOUT_UPDATE_MASK = TIMEOUT_UPDATE | LINK_TIMEOUT_UPDATE; // 5.15
export const SPLICE_F_FD_IN_FIXED = 1 << 31; // 5.7
export const RW_ATTR_FLAG_PI = 1 << 0; // 6.14
export const POLL_ADD_MULTI = 1 << 0; // 5.13
export const POLL_UPDATE_EVENTS = 1 << 1; // 5.13
export const POLL_UPDATE_USER_DATA = 1 << 2; // 5.13
export const POLL_ADD_LEVEL = 1 << 3; // 6.0
export const ASYNC_CANCEL_ALL = 1 << 0; // 5.19
export const ASYNC_CANCEL_FD = 1 << 1; // 5.19
export const ASYNC_CANCEL_ANY = 1 << 2; // 5.19
export const ASYNC_CANCEL_FD_FIXED = 1 << 3; // 6.0
export const ASYNC_CANCEL_USERDATA = 1 << 4; // 6.6
export const ASYNC_CANCEL_OP = 1 << 5; // 6.6
export const RECVSEND_POLL_FIRST = 1 << 0; // 5.19
export const RECV_MULTISHOT = 1 << 1; // 6.0
export const RECVSEND_FIXED_BUF = 1 << 2; // 6.0
export const SEND_ZC_REPORT_USAGE = 1 << 3; // 6.2
export const RECVSEND_BUNDLE = 1 << 4; // 6.10
export const SEND_VECTORIZED = 1 << 5; // 6.17
export const NOTIF_USAGE_ZC_COPIED = 1 << 31; // 6.2
export const ACCEPT_MULTISHOT = 1 << 0; // 5.19
export const ACCEPT_DONTWAIT = 1 << 1; // 6.10
export const ACCEPT_POLL_FIRST = 1 << 2; // 6.10
export const MSG_DATA = 0; // 5.18
export const MSG_SEND_FD = 1; // 6.0
export const MSG_RING_CQE_SKIP = 1 << 0; // 6.0
export const MSG_RING_FLAGS_PASS = 1 << 1; // 6.3
export const FIXED_FD_NO_CLOEXEC = 1 << 0; // 6.8
export const NOP_INJECT_RESULT = 1 << 0; // 6.10
export const NOP_FILE = 1 << 1; // 6.13
export const NOP_FIXED_FILE = 1 << 2; // 6.13
export const NOP_FIXED_BUFFER = 1 << 3; // 6.13
export const NOP_TW = 1 << 4; // 6.16
export const NOP_CQE32 = 1 << 5; // 6.18
export const URING_CMD_FIXED = 1 << 0; // 6.1
export const URING_CMD_MASK = URING_CMD_FIXED; // 6.1
export const FILE_INDEX_ALLOC = -1; // 5.19, ~0U
export const REGISTER_FILES_SKIP = -2; // 5.12

// enum io_uring_socket_op, in cmd_op of a URING_CMD on a socket
export const SOCKET_URING_OP_SIOCINQ = 0; // 6.7
export const SOCKET_URING_OP_SIOCOUTQ = 1; // 6.7
export const SOCKET_URING_OP_GETSOCKOPT = 2; // 6.7
export const SOCKET_URING_OP_SETSOCKOPT = 3; // 6.7
export const SOCKET_URING_OP_TX_TIMESTAMP = 4; // 6.17
export const SOCKET_URING_OP_GETSOCKNAME = 5; // 7.0

// The high half of cqe->flags of a TX_TIMESTAMP completion
export const TIMESTAMP_HW_SHIFT = 16; // 6.17
export const TIMESTAMP_TYPE_SHIFT = 17; // 6.17

// io_uring_register(2): opcodes
export const REGISTER_BUFFERS = 0; // 5.1
export const UNREGISTER_BUFFERS = 1; // 5.1
export const REGISTER_FILES = 2; // 5.1
export const UNREGISTER_FILES = 3; // 5.1
export const REGISTER_EVENTFD = 4; // 5.2
export const UNREGISTER_EVENTFD = 5; // 5.2
export const REGISTER_FILES_UPDATE = 6; // 5.5
export const REGISTER_EVENTFD_ASYNC = 7; // 5.6
export const REGISTER_PROBE = 8; // 5.6
export const REGISTER_PERSONALITY = 9; // 5.6
export const UNREGISTER_PERSONALITY = 10; // 5.6
export const REGISTER_RESTRICTIONS = 11; // 5.10
export const REGISTER_ENABLE_RINGS = 12; // 5.10
export const REGISTER_FILES2 = 13; // 5.13
export const REGISTER_FILES_UPDATE2 = 14; // 5.13
export const REGISTER_BUFFERS2 = 15; // 5.13
export const REGISTER_BUFFERS_UPDATE = 16; // 5.13
export const REGISTER_IOWQ_AFF = 17; // 5.14
export const UNREGISTER_IOWQ_AFF = 18; // 5.14
export const REGISTER_IOWQ_MAX_WORKERS = 19; // 5.15
export const REGISTER_RING_FDS = 20; // 5.18
export const UNREGISTER_RING_FDS = 21; // 5.18
export const REGISTER_PBUF_RING = 22; // 5.19
export const UNREGISTER_PBUF_RING = 23; // 5.19
export const REGISTER_SYNC_CANCEL = 24; // 6.0
export const REGISTER_FILE_ALLOC_RANGE = 25; // 6.0
export const REGISTER_PBUF_STATUS = 26; // 6.8
export const REGISTER_NAPI = 27; // 6.9
export const UNREGISTER_NAPI = 28; // 6.9
export const REGISTER_CLOCK = 29; // 6.12
export const REGISTER_CLONE_BUFFERS = 30; // 6.12
export const REGISTER_SEND_MSG_RING = 31; // 6.13
export const REGISTER_ZCRX_IFQ = 32; // 6.15
export const REGISTER_RESIZE_RINGS = 33; // 6.13
export const REGISTER_MEM_REGION = 34; // 6.13
export const REGISTER_QUERY = 35; // 6.18

export const REGISTER_ZCRX_CTRL = 36; // 6.19
export const REGISTER_BPF_FILTER = 37; // 7.0
export const REGISTER_USE_REGISTERED_RING = 1 << 31; // 6.3

// What REGISTER_IOWQ_MAX_WORKERS counts
export const IO_WQ_BOUND = 0; // 5.15
export const IO_WQ_UNBOUND = 1; // 5.15

// io_uring_region_desc.flags and io_uring_mem_region_reg.flags
export const MEM_REGION_TYPE_USER = 1; // 6.13
export const MEM_REGION_REG_WAIT_ARG = 1; // 6.13
export const REG_WAIT_TS = 1 << 0; // 6.13

// io_uring_query_hdr.query_op
export const QUERY_OPCODES = 0; // 6.18
export const QUERY_ZCRX = 1; // 6.19
export const QUERY_SCQ = 2; // 6.19

// io_uring_zcrx_area_reg.flags and io_uring_zcrx_ifq_reg.flags
export const ZCRX_AREA_DMABUF = 1; // 6.16
export const ZCRX_REG_IMPORT = 1; // 6.19
export const ZCRX_REG_NODEV = 2; // 7.1
export const ZCRX_FEATURE_RX_PAGE_SIZE = 1 << 0; // 7.0
export const ZCRX_CTRL_FLUSH_RQ = 0; // 6.19
export const ZCRX_CTRL_EXPORT = 1; // 6.19
export const ZCRX_AREA_SHIFT = 48; // 6.15

// io_uring_buf_reg.flags
export const PBUF_RING_MMAP = 1; // 6.4
export const PBUF_RING_INC = 2; // 6.12

// io_uring_probe_op.flags (IO_URING_OP_SUPPORTED)
export const OP_SUPPORTED = 1 << 0; // 5.6

// io_uring_rsrc_register.flags
export const RSRC_REGISTER_SPARSE = 1 << 0; // 5.19

// enum io_uring_register_restriction_op
export const RESTRICTION_REGISTER_OP = 0; // 5.10
export const RESTRICTION_SQE_OP = 1; // 5.10
export const RESTRICTION_SQE_FLAGS_ALLOWED = 2; // 5.10
export const RESTRICTION_SQE_FLAGS_REQUIRED = 3; // 5.10

// io_uring_clone_buffers.flags
export const REGISTER_SRC_REGISTERED = 1 << 0; // 6.12
export const REGISTER_DST_REPLACE = 1 << 1; // 6.13
