/** Datagrams as the kernel puts them into provided buffers. */
import { SOCKADDR_MAX } from '../../ring/sockaddr.js';
import { RECVMSG_OUT } from '../../ring/structs.js';
import { copyChunk } from '../socket/slab.js';
import { CONTROL_MAX, type PacketInfo, readControl } from './ancillary.js';
import type { DatagramBuffers } from './buffers.js';
import { peerAt } from './peers.js';

/** A datagram that has arrived. */
export interface Datagram extends PacketInfo {
  /** Its bytes, yours to keep. */
  data: Buffer;
  /** Who sent it: a numeric address, or for a Unix socket its path ('' if it has none). */
  address: string;
  /** The sender's port; 0 for a Unix socket. */
  port: number;
  /** Of the sender's address. */
  family: 'IPv4' | 'IPv6' | 'Unix';
  /** Whether it was longer than the room for it: the rest is lost. */
  truncated: boolean;
}

/**
 * The datagram in the buffer of a completion, copied out of it.
 * @param maxSize how many of its bytes are kept. @param ancillary whether the kernel was asked for ancillary data.
 */
export function datagramIn(
  buffers: DatagramBuffers,
  flags: number,
  maxSize: number,
  ancillary: boolean,
): Datagram {
  const { words, bytes } = buffers;
  const start = buffers.startOf(flags);
  const word = start >> 2;
  const nameAt = start + RECVMSG_OUT.size;
  const controlAt = nameAt + SOCKADDR_MAX;
  const payloadAt = ancillary ? controlAt + CONTROL_MAX : controlAt;
  const length = words[word + (RECVMSG_OUT.payloadlen >> 2)]!;
  const room = Math.min(maxSize, start + buffers.size - payloadAt);
  const { address, port, family } = peerAt(bytes, words, nameAt, words[word]!);
  const data = copyChunk(buffers, payloadAt, Math.min(length, room), undefined);
  const datagram: Datagram = { data, address, port, family, truncated: length > room };
  if (ancillary) {
    const controlLength = words[word + (RECVMSG_OUT.controllen >> 2)]!;
    readControl(bytes, controlAt, controlAt + controlLength, datagram);
  }
  return datagram;
}
