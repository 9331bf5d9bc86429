/** struct tcp_info of linux/tcp.h. */

import { IPPROTO_TCP, TCP_INFO } from '../../sys/abi/sockets.js';
import { TCP_INFO_FIELDS as TCP } from '../../sys/abi/structs.js';
import { libc } from '../../sys/libc/libc.js';

/** The kernel's information about a TCP connection. Times are in microseconds unless stated otherwise. */
export interface TcpInfo {
  /** TCP_ESTABLISHED is 1; see tcp_states.h. */
  state: number;
  /** Retransmissions of data that is not acknowledged now. */
  retransmits: number;
  /** The total number of retransmissions. */
  totalRetransmits: number;
  /** The smoothed round-trip time. */
  rtt: number;
  /** Its variation. */
  rttVariance: number;
  /** The minimum recent round-trip time; 0 before 4.6. */
  minRtt: number;
  /** The retransmission time-out. */
  retransmissionTimeout: number;
  /** The congestion window, in segments. */
  congestionWindow: number;
  /** The slow start threshold, in segments. */
  slowStartThreshold: number;
  /** The maximum size of sent segments, in bytes. */
  sendSegmentSize: number;
  /** The maximum size of received segments, in bytes. */
  receiveSegmentSize: number;
  /** The path's MTU, in bytes. */
  pathMtu: number;
  /** Segments that were sent and not acknowledged. */
  unacknowledged: number;
  /** Those of them that are considered lost. */
  lost: number;
  /** Milliseconds since data was last sent. */
  lastDataSent: number;
  /** Milliseconds since data last arrived. */
  lastDataReceived: number;
  /** Bytes that the peer has acknowledged. */
  bytesAcknowledged: number;
  /** Bytes received from the peer. */
  bytesReceived: number;
  /** Bytes in the kernel that have not been sent. */
  notSent: number;
  /** Bytes per second, as last measured. */
  deliveryRate: number;
}

/** The part of the struct that is read; an older kernel returns less, and the rest reads as 0. */
export const TCP_INFO_BYTES = 168;

/** Reads the struct. */
export function parseTcpInfo(given: Buffer): TcpInfo {
  const bytes = Buffer.alloc(TCP_INFO_BYTES);
  given.copy(bytes);
  const u32 = (at: number): number => bytes.readUInt32LE(at);
  const u64 = (at: number): number => Number(bytes.readBigUInt64LE(at));
  return {
    state: bytes[TCP.tcpi_state]!,
    retransmits: bytes[TCP.tcpi_retransmits]!,
    totalRetransmits: u32(TCP.tcpi_total_retrans),
    rtt: u32(TCP.tcpi_rtt),
    rttVariance: u32(TCP.tcpi_rttvar),
    minRtt: u32(TCP.tcpi_min_rtt),
    retransmissionTimeout: u32(TCP.tcpi_rto),
    congestionWindow: u32(TCP.tcpi_snd_cwnd),
    slowStartThreshold: u32(TCP.tcpi_snd_ssthresh),
    sendSegmentSize: u32(TCP.tcpi_snd_mss),
    receiveSegmentSize: u32(TCP.tcpi_rcv_mss),
    pathMtu: u32(TCP.tcpi_pmtu),
    unacknowledged: u32(TCP.tcpi_unacked),
    lost: u32(TCP.tcpi_lost),
    lastDataSent: u32(TCP.tcpi_last_data_sent),
    lastDataReceived: u32(TCP.tcpi_last_data_recv),
    bytesAcknowledged: u64(TCP.tcpi_bytes_acked),
    bytesReceived: u64(TCP.tcpi_bytes_received),
    notSent: u32(TCP.tcpi_notsent_bytes),
    deliveryRate: u64(TCP.tcpi_delivery_rate),
  };
}

/** tcp_states.h */
export const TCP_CLOSE = 7;

/** TCP_INFO of a socket; null for another kind. */
export function tcpInfo(fd: number): TcpInfo | null {
  const bytes = Buffer.alloc(TCP_INFO_BYTES);
  const failed = libc().getsockopt(fd, IPPROTO_TCP, TCP_INFO, bytes, new Uint32Array([TCP_INFO_BYTES]));
  return failed < 0 ? null : parseTcpInfo(bytes);
}

/**
 * A number that changes whenever the peer takes bytes, also while a send is not complete: what it has acknowledged; for
 * a Unix socket how much waits for it, negative.
 */
export function takenByPeer(fd: number): number {
  return tcpInfo(fd)?.bytesAcknowledged ?? -Math.max(0, libc().unacknowledged(fd));
}
