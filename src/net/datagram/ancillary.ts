/** Ancillary data of datagrams: control messages sent along with the payload. cmsg(3), udp(7), ip(7), ipv6(7) */

import {
  IP_PKTINFO,
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
  IPV6_TCLASS,
  SOL_UDP,
  UDP_GRO,
  UDP_SEGMENT,
} from '../../sys/abi/sockets.js';
import { CMSGHDR, IN_PKTINFO, IN6_PKTINFO, SOCKADDR_IN, SOCKADDR_IN6 } from '../../sys/abi/structs.js';
import { checkInt } from '../../sys/check/check.js';
import { argTypeError, argValueError } from '../../sys/errors/errors.js';
import { isIPv4 } from '../../sys/socket/ip.js';
import { readSockaddr, SOCKADDR_MAX, sockaddrOf } from '../../sys/socket/sockaddr.js';

const ALIGN = 8;
const align = (length: number): number => (length + ALIGN - 1) & -ALIGN;

/** Space for all control messages that are sent or received here, in bytes. */
export const CONTROL_MAX = 128;

/** Information about a datagram that a socket was configured to report. */
export interface PacketInfo {
  /** With `packetInfo`: the destination address, one of this machine's or a multicast group. */
  localAddress?: string | undefined;
  /** With `packetInfo`: the index of the interface that it arrived on. */
  interfaceIndex?: number | undefined;
  /** With `receiveTos`: the type of service or traffic class, a byte. */
  tos?: number | undefined;
  /** With `receiveTos`: the lower two bits of it: 0 not ECN-capable, 1 ECT(1), 2 ECT(0), 3 congestion experienced. */
  ecn?: number | undefined;
  /**
   * With `gro`: `data` holds several datagrams of one sender, all of this size in bytes except the last. Absent for a
   * single datagram.
   */
  segmentSize?: number | undefined;
}

/** Options for a datagram that is sent. */
export interface PacketOptions {
  /** The kernel splits `data` into datagrams of this size in bytes; the last may be shorter (GSO). udp(7) */
  segmentSize?: number | undefined;
  /** The type of service or traffic class, 0 to 255. */
  tos?: number | undefined;
  /** Only the lower two bits of it. */
  ecn?: number | undefined;
  /** The address to send from, one of this machine's. */
  localAddress?: string | undefined;
  /** The index of the interface to send from. */
  interfaceIndex?: number | undefined;
}

/** Whether any of them is given. */
export function hasPacketOptions(options: PacketOptions): boolean {
  return (
    options.segmentSize !== undefined ||
    options.tos !== undefined ||
    options.ecn !== undefined ||
    options.localAddress !== undefined ||
    options.interfaceIndex !== undefined
  );
}

/** The address of four or sixteen bytes at `bytes[at]`, as text. */
function addressText(bytes: Buffer, at: number, length: 4 | 16): string {
  const sockaddr = Buffer.alloc(SOCKADDR_MAX);
  sockaddr.writeUInt16LE(length === 4 ? 2 : 10, 0);
  const to = length === 4 ? SOCKADDR_IN.sin_addr : SOCKADDR_IN6.sin6_addr;
  bytes.copy(sockaddr, to, at, at + length);
  return (readSockaddr(sockaddr, 0, sockaddr.length) as { address: string }).address;
}

/** Most datagrams of a socket are sent to the same address. */
let lastLocal = { bytes: Buffer.alloc(0), text: '' };

function localAddressText(bytes: Buffer, at: number, length: 4 | 16): string {
  if (lastLocal.bytes.length !== length || lastLocal.bytes.compare(bytes, at, at + length) !== 0) {
    const copy = Buffer.from(bytes.subarray(at, at + length));
    lastLocal = { bytes: copy, text: addressText(copy, 0, length) };
  }
  return lastLocal.text;
}

/** Adds the contents of the control messages in `bytes` from `start` to `end` to `info`. */
export function readControl(bytes: Buffer, start: number, end: number, info: PacketInfo): void {
  for (let at = start; at + CMSGHDR.size <= end; ) {
    const length = bytes.readUInt32LE(at + CMSGHDR.cmsg_len);
    if (length < CMSGHDR.size || at + length > end) return;
    const level = bytes.readInt32LE(at + CMSGHDR.cmsg_level);
    const type = bytes.readInt32LE(at + CMSGHDR.cmsg_type);
    readMessage(bytes, at + CMSGHDR.size, level, type, info);
    at += align(length);
  }
}

function readMessage(bytes: Buffer, at: number, level: number, type: number, info: PacketInfo): void {
  if (level === IPPROTO_IP && type === IP_PKTINFO) {
    info.interfaceIndex = bytes.readInt32LE(at + IN_PKTINFO.ipi_ifindex);
    info.localAddress = localAddressText(bytes, at + IN_PKTINFO.ipi_addr, 4);
  } else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) {
    info.interfaceIndex = bytes.readInt32LE(at + IN6_PKTINFO.ipi6_ifindex);
    info.localAddress = localAddressText(bytes, at + IN6_PKTINFO.ipi6_addr, 16);
  } else if (level === IPPROTO_IP && type === IP_TOS) {
    setTos(info, bytes[at]!);
  } else if (level === IPPROTO_IPV6 && type === IPV6_TCLASS) {
    setTos(info, bytes.readInt32LE(at));
  } else if (level === SOL_UDP && type === UDP_GRO) {
    info.segmentSize = bytes.readInt32LE(at);
  }
}

function setTos(info: PacketInfo, tos: number): void {
  info.tos = tos;
  info.ecn = tos & 3;
}

/** Checks the options of a datagram before anything is sent. */
export function checkPacketOptions(options: PacketOptions): void {
  const { segmentSize, tos, ecn, localAddress, interfaceIndex } = options;
  if (segmentSize !== undefined) checkInt('options.segmentSize', segmentSize, 1, 65535);
  if (tos !== undefined) checkInt('options.tos', tos, 0, 255);
  if (ecn !== undefined) checkInt('options.ecn', ecn, 0, 3);
  if (interfaceIndex !== undefined) checkInt('options.interfaceIndex', interfaceIndex, 0, 0x7fffffff);
  if (localAddress !== undefined && typeof localAddress !== 'string') {
    throw argTypeError('options.localAddress', 'of type string', localAddress);
  }
}

/**
 * The control messages of a datagram, in the form for its IP version.
 * @throws TypeError when `localAddress` is not an address of that protocol.
 */
export function writeControl(options: PacketOptions, isIPv4: boolean): Buffer {
  const control = Buffer.alloc(CONTROL_MAX);
  let end = 0;
  const message = (level: number, type: number, length: number): number => {
    const at = end;
    control.writeUInt32LE(CMSGHDR.size + length, at + CMSGHDR.cmsg_len);
    control.writeInt32LE(level, at + CMSGHDR.cmsg_level);
    control.writeInt32LE(type, at + CMSGHDR.cmsg_type);
    end += align(CMSGHDR.size + length);
    return at + CMSGHDR.size;
  };
  const { segmentSize, tos, ecn, localAddress, interfaceIndex } = options;
  if (segmentSize !== undefined) control.writeUInt16LE(segmentSize, message(SOL_UDP, UDP_SEGMENT, 2));
  if (tos !== undefined || ecn !== undefined) {
    const value = ((tos ?? 0) & ~(ecn === undefined ? 0 : 3)) | (ecn ?? 0);
    const at = isIPv4 ? message(IPPROTO_IP, IP_TOS, 4) : message(IPPROTO_IPV6, IPV6_TCLASS, 4);
    control.writeInt32LE(value, at);
  }
  if (localAddress !== undefined || interfaceIndex !== undefined) {
    if (isIPv4) {
      const at = message(IPPROTO_IP, IP_PKTINFO, IN_PKTINFO.size);
      control.writeInt32LE(interfaceIndex ?? 0, at + IN_PKTINFO.ipi_ifindex);
      if (localAddress !== undefined) writeIPv4(control, at + IN_PKTINFO.ipi_spec_dst, localAddress);
    } else {
      const at = message(IPPROTO_IPV6, IPV6_PKTINFO, IN6_PKTINFO.size);
      control.writeInt32LE(interfaceIndex ?? 0, at + IN6_PKTINFO.ipi6_ifindex);
      if (localAddress !== undefined) writeIPv6(control, at + IN6_PKTINFO.ipi6_addr, localAddress);
    }
  }
  return control.subarray(0, end);
}

let lastSegments: { size: number; control: Buffer } = { size: 0, control: Buffer.alloc(0) };

/** Makes the kernel split the data, like `segmentSize`: a program's sizes mostly repeat. */
export function segmentControl(size: number): Buffer {
  if (lastSegments.size !== size) {
    lastSegments = { size, control: writeControl({ segmentSize: size }, true) };
  }
  return lastSegments.control;
}

/** Writes the four bytes of an IPv4 address, which may be mapped into IPv6. */
export function writeIPv4(bytes: Buffer, at: number, address: string): void {
  const mapped = address.startsWith('::ffff:') ? address.slice(7) : address;
  if (!isIPv4(mapped)) throw argValueError('address', 'must be an IPv4 address', address);
  const sockaddr = sockaddrOf({ address: mapped, family: 'IPv4', port: 0 });
  sockaddr.copy(bytes, at, SOCKADDR_IN.sin_addr, SOCKADDR_IN.sin_addr + 4);
}

/** Writes the sixteen bytes of an IPv6 address. */
export function writeIPv6(bytes: Buffer, at: number, address: string): void {
  if (isIPv4(address)) throw argValueError('address', 'must be an IPv6 address', address);
  const sockaddr = sockaddrOf({ address, family: 'IPv6', port: 0 });
  sockaddr.copy(bytes, at, SOCKADDR_IN6.sin6_addr, SOCKADDR_IN6.sin6_addr + 16);
}
