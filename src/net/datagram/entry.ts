/** Fills a submission queue entry for a datagram in a block. */
import type { Block } from '../../loop/memory/blocks.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { IOVEC, MSGHDR } from '../../sys/abi/structs.js';
import type { Destination } from './destination.js';

/** After the data, aligned to this, are `struct msghdr` and what it points at. */
const ALIGN = 16;
const HEADER = 64;
const TWO_32 = 2 ** 32;

/** The size of data in a block, followed by a msghdr and control messages. */
export function messageRoom(length: number, controlLength: number): number {
  return headerAt(length) + HEADER + IOVEC.size + controlLength;
}

function headerAt(length: number): number {
  return (length + ALIGN - 1) & -ALIGN;
}

/** SEND, with an address unless it is for the peer of a connected socket. */
export function prepareSend(
  sqe: Sqe,
  fd: number,
  block: Block,
  length: number,
  destination: Destination | null,
): void {
  sqe.sendAt(fd, block.address, length, 0);
  if (destination !== null) sqe.toName(destination.bytes);
}

/**
 * SENDMSG. The kernel reads control messages again if the datagram has had to wait for room, so they are in the block,
 * which stays.
 */
export function prepareSendmsg(
  sqe: Sqe,
  fd: number,
  block: Block,
  length: number,
  destination: Destination | null,
  control: Uint8Array,
): void {
  const { bytes } = block;
  const at = headerAt(length);
  const iov = at + HEADER;
  const controlAt = iov + IOVEC.size;
  bytes.fill(0, at, iov);
  if (destination !== null) {
    writePointer(bytes, sqe.copied(destination.bytes), at + MSGHDR.msg_name);
    bytes.writeUInt32LE(destination.bytes.length, at + MSGHDR.msg_namelen);
  }
  writePointer(bytes, block.address + iov, at + MSGHDR.msg_iov);
  writePointer(bytes, 1, at + MSGHDR.msg_iovlen);
  writePointer(bytes, block.address, iov + IOVEC.iov_base);
  writePointer(bytes, length, iov + IOVEC.iov_len);
  if (control.length !== 0) {
    bytes.set(control, controlAt);
    writePointer(bytes, block.address + controlAt, at + MSGHDR.msg_control);
    writePointer(bytes, control.length, at + MSGHDR.msg_controllen);
  }
  sqe.sendmsgAt(fd, block.address + at, 0);
}

/** An address, or a size_t. */
function writePointer(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % TWO_32, at);
  bytes.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
}
