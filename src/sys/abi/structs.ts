/**
 * Byte offsets of the kernel's structs for plain system calls, one section per struct, with the field names of the
 * headers. `test/ring/abi.test.ts` compares sizes and offsets with the C compiler's. All are little endian and the same
 * on x64 and arm64.
 */

/** struct __kernel_timespec */
export const TIMESPEC = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;

/** struct sockaddr_in */
export const SOCKADDR_IN = { size: 16, sin_family: 0, sin_port: 2, sin_addr: 4 } as const;

/** struct sockaddr_in6 */
export const SOCKADDR_IN6 = {
  size: 28,
  sin6_family: 0,
  sin6_port: 2,
  sin6_flowinfo: 4,
  sin6_addr: 8,
  sin6_scope_id: 24,
} as const;

/** struct sockaddr_un */
export const SOCKADDR_UN = { size: 110, sun_family: 0, sun_path: 2 } as const;

/** struct epoll_event, packed on x64 only */
export const EPOLL_EVENT =
  process.arch === 'x64'
    ? ({ size: 12, events: 0, data: 4 } as const)
    : ({ size: 16, events: 0, data: 8 } as const);

/** struct pollfd */
export const POLLFD = { size: 8, fd: 0, events: 4, revents: 6 } as const;

/** struct __kernel_itimerspec */
export const ITIMERSPEC = { size: 32, it_interval: 0, it_value: 16 } as const;

/** struct mmsghdr */
export const MMSGHDR = { size: 64, msg_hdr: 0, msg_len: 56 } as const;

/** struct statx, see statx(2) */
export const STATX = {
  size: 256,
  stx_mask: 0,
  stx_blksize: 4,
  stx_nlink: 16,
  stx_uid: 20,
  stx_gid: 24,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_blocks: 48,
  stx_atime: 64,
  stx_btime: 80,
  stx_ctime: 96,
  stx_mtime: 112,
  stx_rdev_major: 128,
  stx_rdev_minor: 132,
  stx_dev_major: 136,
  stx_dev_minor: 140,
  stx_mnt_id: 144,
  stx_dio_mem_align: 152,
  stx_dio_offset_align: 156,
} as const;

/** struct statx_timestamp */
export const STATX_TIMESTAMP = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;

/** struct statfs. Its first field is a long */
export const STATFS = { size: 120, f_type: 0, f_flags: 80 } as const;

/** struct rusage */
export const RUSAGE = { size: 144, ru_nvcsw: 128 } as const;

/** struct dirent64, from getdents64(2). A NUL ends `d_name` */
export const DIRENT64 = { size: 280, d_reclen: 16, d_type: 18, d_name: 19 } as const;

/** struct iovec */
export const IOVEC = { size: 16, iov_base: 0, iov_len: 8 } as const;

/** struct msghdr */
export const MSGHDR = {
  size: 56,
  msg_name: 0,
  msg_namelen: 8,
  msg_iov: 16,
  msg_iovlen: 24,
  msg_control: 32,
  msg_controllen: 40,
  msg_flags: 48,
} as const;

/** struct open_how */
export const OPEN_HOW = { size: 24, flags: 0, mode: 8, resolve: 16 } as const;

/** struct futex_waitv */
export const FUTEX_WAITV = { size: 24, val: 0, uaddr: 8, flags: 16 } as const;

/** struct cmsghdr */
export const CMSGHDR = { size: 16, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 } as const;

/** struct in_pktinfo */
export const IN_PKTINFO = { size: 12, ipi_ifindex: 0, ipi_spec_dst: 4, ipi_addr: 8 } as const;

/** struct in6_pktinfo */
export const IN6_PKTINFO = { size: 20, ipi6_addr: 0, ipi6_ifindex: 16 } as const;

/** struct ip_mreq */
export const IP_MREQ = { size: 8, imr_multiaddr: 0, imr_interface: 4 } as const;

/** struct ip_mreq_source */
export const IP_MREQ_SOURCE = { size: 12, imr_multiaddr: 0, imr_interface: 4, imr_sourceaddr: 8 } as const;

/** struct ipv6_mreq */
export const IPV6_MREQ = { size: 20, ipv6mr_multiaddr: 0, ipv6mr_interface: 16 } as const;

/** struct group_source_req */
export const GROUP_SOURCE_REQ = { size: 264, gsr_interface: 0, gsr_group: 8, gsr_source: 136 } as const;

/** struct tcp_info up to the fields of 4.9 */
export const TCP_INFO_FIELDS = {
  tcpi_state: 0,
  tcpi_retransmits: 2,
  tcpi_rto: 8,
  tcpi_snd_mss: 16,
  tcpi_rcv_mss: 20,
  tcpi_unacked: 24,
  tcpi_lost: 32,
  tcpi_last_data_sent: 44,
  tcpi_last_data_recv: 52,
  tcpi_pmtu: 60,
  tcpi_rtt: 68,
  tcpi_rttvar: 72,
  tcpi_snd_ssthresh: 76,
  tcpi_snd_cwnd: 80,
  tcpi_total_retrans: 100,
  tcpi_bytes_acked: 120,
  tcpi_bytes_received: 128,
  tcpi_notsent_bytes: 144,
  tcpi_min_rtt: 148,
  tcpi_delivery_rate: 160,
} as const;
