/**
 * Byte offsets of io_uring's structs, one section per struct, with the field names of `linux/io_uring.h`.
 * `test/ring/abi.test.ts` compares sizes and offsets with the C compiler's. All are little endian and the same on x64
 * and arm64.
 */

/** struct io_uring_sqe, in 32-bit words: the builder stores whole words only. */
export const SQE = {
  size: 64,
  /** opcode | flags << 8 | ioprio << 16 */
  op: 0,
  fd: 1,
  off: 2,
  addr: 4,
  len: 6,
  opFlags: 7,
  userData: 8,
  /** buf_index (or buf_group) | personality << 16 */
  buf: 10,
  /** splice_fd_in, file_index, optlen, addr_len */
  file: 11,
  /** addr3, optval */
  addr3: 12,
  pad2: 14,
} as const;

/** struct io_uring_cqe */
export const CQE = { size: 16, user_data: 0, res: 8, flags: 12 } as const;

/** struct io_uring_params, with io_sqring_offsets and io_cqring_offsets inside */
export const PARAMS = {
  size: 120,
  sq_entries: 0,
  cq_entries: 4,
  flags: 8,
  sq_thread_cpu: 12,
  sq_thread_idle: 16,
  features: 20,
  wq_fd: 24,
  sq_off: 40,
  cq_off: 80,
} as const;

/** struct io_sqring_offsets */
export const SQ_OFF = {
  size: 40,
  head: 0,
  tail: 4,
  ring_mask: 8,
  ring_entries: 12,
  flags: 16,
  dropped: 20,
  array: 24,
  user_addr: 32,
} as const;

/** struct io_cqring_offsets */
export const CQ_OFF = {
  size: 40,
  head: 0,
  tail: 4,
  ring_mask: 8,
  ring_entries: 12,
  overflow: 16,
  cqes: 20,
  flags: 24,
  user_addr: 32,
} as const;

/** struct io_uring_probe and the io_uring_probe_op array behind it */
export const PROBE = { size: 16, last_op: 0, ops_len: 1, ops: 16 } as const;
export const PROBE_OP = { size: 8, op: 0, flags: 2 } as const;

/** struct io_uring_buf; in entry 0 of a buffer ring, `resv` is the ring's tail */
export const BUF = { size: 16, addr: 0, len: 8, bid: 12, resv: 14 } as const;

/** struct io_uring_buf_reg */
export const BUF_REG = { size: 40, ring_addr: 0, ring_entries: 8, bgid: 12, flags: 14 } as const;

/** struct io_uring_recvmsg_out, at the start of the buffer of a multishot recvmsg */
export const RECVMSG_OUT = { size: 16, namelen: 0, controllen: 4, payloadlen: 8, flags: 12 } as const;

/** struct io_uring_getevents_arg */
export const GETEVENTS_ARG = { size: 24, sigmask: 0, sigmask_sz: 8, min_wait_usec: 12, ts: 16 } as const;

/** struct io_uring_rsrc_register */
export const RSRC_REGISTER = { size: 32, nr: 0, flags: 4, data: 16, tags: 24 } as const;

/** struct io_uring_rsrc_update2; struct io_uring_rsrc_update is its first half */
export const RSRC_UPDATE2 = { size: 32, offset: 0, data: 8, tags: 16, nr: 24 } as const;

/** struct io_uring_sync_cancel_reg */
export const SYNC_CANCEL_REG = { size: 64, addr: 0, fd: 8, flags: 12, timeout: 16, opcode: 32 } as const;

/** struct io_uring_file_index_range */
export const FILE_INDEX_RANGE = { size: 16, off: 0, len: 4 } as const;

/** struct io_uring_restriction; `op` stands for its union of register_op, sqe_op and sqe_flags */
export const RESTRICTION = { size: 16, opcode: 0, register_op: 2 } as const;

/** struct io_uring_napi */
export const NAPI = { size: 16, busy_poll_to: 0, prefer_busy_poll: 4 } as const;

/** struct io_uring_clock_register */
export const CLOCK_REGISTER = { size: 16, clockid: 0 } as const;

/** struct io_uring_clone_buffers */
export const CLONE_BUFFERS = { size: 32, src_fd: 0, flags: 4, src_off: 8, dst_off: 12, nr: 16 } as const;

/** struct io_uring_buf_status */
export const BUF_STATUS = { size: 40, buf_group: 0, head: 4 } as const;

/** struct io_uring_region_desc */
export const REGION_DESC = { size: 64, user_addr: 0, size_: 8, flags: 16, id: 20, mmap_offset: 24 } as const;

/** struct io_uring_mem_region_reg */
export const MEM_REGION_REG = { size: 32, region_uptr: 0, flags: 8 } as const;

/** struct io_uring_reg_wait */
export const REG_WAIT = {
  size: 64,
  ts: 0,
  min_wait_usec: 16,
  flags: 20,
  sigmask: 24,
  sigmask_sz: 32,
} as const;

/** struct io_uring_query_hdr */
export const QUERY_HDR = {
  size: 40,
  next_entry: 0,
  query_data: 8,
  query_op: 16,
  size_: 20,
  result: 24,
} as const;

/** struct io_uring_query_opcode */
export const QUERY_OPCODE = {
  size: 48,
  nr_request_opcodes: 0,
  nr_register_opcodes: 4,
  feature_flags: 8,
  ring_setup_flags: 16,
  enter_flags: 24,
  sqe_flags: 32,
  nr_query_opcodes: 40,
} as const;

/** struct io_uring_zcrx_rqe, an entry of the refill ring of zero-copy receive */
export const ZCRX_RQE = { size: 16, off: 0, len: 8 } as const;

/** struct io_uring_zcrx_cqe, in the second half of a completion of `recvZc` */
export const ZCRX_CQE = { size: 16, off: 0 } as const;

/** struct io_uring_zcrx_area_reg */
export const ZCRX_AREA_REG = {
  size: 48,
  addr: 0,
  len: 8,
  rq_area_token: 16,
  flags: 24,
  dmabuf_fd: 28,
} as const;

/** struct io_uring_zcrx_ifq_reg, of REGISTER_ZCRX_IFQ */
export const ZCRX_IFQ_REG = {
  size: 96,
  if_idx: 0,
  if_rxq: 4,
  rq_entries: 8,
  flags: 12,
  area_ptr: 16,
  region_ptr: 24,
  offsets: 32,
  zcrx_id: 64,
} as const;
