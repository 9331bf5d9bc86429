/** Reads datagrams from provided buffers. */

import { RECVMSG_OUT } from '../../ring/abi/structs.js';
import { SOCKADDR_MAX } from '../../sys/socket/sockaddr.js';
import { copyChunk } from '../socket/slab.js';
import { CONTROL_MAX, type PacketInfo, readControl } from './ancillary.js';
import type { DatagramBuffers } from './buffers.js';
import { peerAt } from './peers.js';

/** A datagram that has arrived. */
export interface Datagram extends PacketInfo {
  /** Its bytes, which belong to the caller. */
  data: Buffer;
  /** The sender: a numeric address, or for a Unix socket its path ('' if it has none). */
  address: string;
  /** The sender's port; 0 for a Unix socket. */
  port: number;
  /** The family of the sender's address. */
  family: 'IPv4' | 'IPv6' | 'Unix';
  /** Whether it was longer than the space for it, so that the rest is lost. */
  truncated: boolean;
}

/**
 * Copies the datagram out of a completion's buffer.
 * @param maxSize the maximum number of bytes to keep. @param ancillary whether the kernel reports ancillary data.
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
