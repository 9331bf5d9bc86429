/** struct tcp_info of linux/tcp.h. */
import { libc } from '../ring/libc.js';
import { IPPROTO_TCP, TCP_INFO } from './options.js';

/** What the kernel knows of a TCP connection. Times are in microseconds unless they say otherwise. */
export interface TcpInfo {
  /** TCP_ESTABLISHED is 1; see tcp_states.h. */
  state: number;
  /** Retransmissions of what is not acknowledged now. */
  retransmits: number;
  /** Retransmissions in all. */
  totalRetransmits: number;
  /** The smoothed round-trip time. */
  rtt: number;
  /** Its variation. */
  rttVariance: number;
  /** The shortest round-trip time of late; 0 before 4.6. */
  minRtt: number;
  /** The retransmission time-out. */
  retransmissionTimeout: number;
  /** The congestion window, in segments. */
  congestionWindow: number;
  /** Where it begins to grow slowly, in segments. */
  slowStartThreshold: number;
  /** The largest segments that are sent, in bytes. */
  sendSegmentSize: number;
  /** The largest that are received, in bytes. */
  receiveSegmentSize: number;
  /** The path's MTU, in bytes. */
  pathMtu: number;
  /** Segments that are sent and not acknowledged. */
  unacknowledged: number;
  /** Those of them that are held lost. */
  lost: number;
  /** Milliseconds since data was last sent. */
  lastDataSent: number;
  /** Milliseconds since data last arrived. */
  lastDataReceived: number;
  /** Bytes that the peer has acknowledged. */
  bytesAcknowledged: number;
  /** Bytes that have arrived from it. */
  bytesReceived: number;
  /** Bytes that wait in the kernel and have not been sent. */
  notSent: number;
  /** Bytes a second, as last measured. */
  deliveryRate: number;
}

/** As much of the struct as is read here; an older kernel gives less, and the rest reads as 0. */
export const TCP_INFO_BYTES = 168;

/** Reads the struct. */
export function parseTcpInfo(given: Buffer): TcpInfo {
  const bytes = Buffer.alloc(TCP_INFO_BYTES);
  given.copy(bytes);
  const u32 = (at: number): number => bytes.readUInt32LE(at);
  const u64 = (at: number): number => Number(bytes.readBigUInt64LE(at));
  return {
    state: bytes[0]!,
    retransmits: bytes[2]!,
    totalRetransmits: u32(100),
    rtt: u32(68),
    rttVariance: u32(72),
    minRtt: u32(148),
    retransmissionTimeout: u32(8),
    congestionWindow: u32(80),
    slowStartThreshold: u32(76),
    sendSegmentSize: u32(16),
    receiveSegmentSize: u32(20),
    pathMtu: u32(60),
    unacknowledged: u32(24),
    lost: u32(32),
    lastDataSent: u32(44),
    lastDataReceived: u32(52),
    bytesAcknowledged: u64(120),
    bytesReceived: u64(128),
    notSent: u32(144),
    deliveryRate: u64(160),
  };
}

/** tcp_states.h */
export const TCP_CLOSE = 7;

/** TCP_INFO of a socket; null if it is of another kind. */
export function tcpInfo(fd: number): TcpInfo | null {
  const bytes = Buffer.alloc(TCP_INFO_BYTES);
  const failed = libc().getsockopt(fd, IPPROTO_TCP, TCP_INFO, bytes, new Uint32Array([TCP_INFO_BYTES]));
  return failed < 0 ? null : parseTcpInfo(bytes);
}
