/** Membership in multicast groups, as socket options. ip(7), ipv6(7) */

import {
  IP_ADD_MEMBERSHIP,
  IP_ADD_SOURCE_MEMBERSHIP,
  IP_DROP_MEMBERSHIP,
  IP_DROP_SOURCE_MEMBERSHIP,
  IP_MULTICAST_IF,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_JOIN_GROUP,
  IPV6_LEAVE_GROUP,
  IPV6_MULTICAST_IF,
  MCAST_JOIN_SOURCE_GROUP,
  MCAST_LEAVE_SOURCE_GROUP,
} from '../../sys/abi/sockets.js';
import { GROUP_SOURCE_REQ, IP_MREQ, IP_MREQ_SOURCE, IPV6_MREQ } from '../../sys/abi/structs.js';
import { argTypeError, argValueError } from '../../sys/errors/errors.js';
import { interfaceIndex } from '../../sys/libc/interfaces.js';
import { isIP, isIPv6 } from '../../sys/socket/ip.js';
import { writeSockaddr } from '../../sys/socket/sockaddr.js';
import type { OptionValue } from '../socket/options.js';
import { writeIPv4, writeIPv6 } from './ancillary.js';

/** An option and its value. */
export interface SocketOption {
  level: number;
  name: number;
  value: OptionValue;
}

function versionOf(name: string, address: string): number {
  if (typeof address !== 'string') throw argTypeError(name, 'of type string', address);
  const version = isIP(address);
  if (version === 0) throw argValueError(name, 'must be a numeric IPv4 or IPv6 address', address);
  return version;
}

/** The index of the interface in `::%eth0`; 0 lets the system choose. */
function scopeOf(multicastInterface: string | undefined): number {
  if (multicastInterface === undefined) return 0;
  versionOf('multicastInterface', multicastInterface);
  const [, scope] = multicastInterface.split('%');
  if (!isIPv6(multicastInterface)) {
    throw argValueError('multicastInterface', 'must be an IPv6 address with a scope', multicastInterface);
  }
  if (scope === undefined) return 0;
  const index = /^\d+$/.test(scope) ? Number(scope) : interfaceIndex(scope);
  if (index === 0) throw argValueError('multicastInterface', 'must name an existing interface', scope);
  return index;
}

/** Sets the interface for outgoing multicast datagrams. */
export function outgoingInterface(multicastInterface: string): SocketOption {
  if (versionOf('multicastInterface', multicastInterface) === 6) {
    return { level: IPPROTO_IPV6, name: IPV6_MULTICAST_IF, value: scopeOf(multicastInterface) };
  }
  const value = Buffer.alloc(4);
  writeIPv4(value, 0, multicastInterface);
  return { level: IPPROTO_IP, name: IP_MULTICAST_IF, value };
}

/** Joining or leaving a group. */
export function membership(
  join: boolean,
  group: string,
  multicastInterface: string | undefined,
): SocketOption {
  if (versionOf('multicastAddress', group) === 6) {
    const value = Buffer.alloc(IPV6_MREQ.size);
    writeIPv6(value, IPV6_MREQ.ipv6mr_multiaddr, group);
    value.writeUInt32LE(scopeOf(multicastInterface), IPV6_MREQ.ipv6mr_interface);
    return { level: IPPROTO_IPV6, name: join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, value };
  }
  const value = Buffer.alloc(IP_MREQ.size);
  writeIPv4(value, IP_MREQ.imr_multiaddr, group);
  if (multicastInterface !== undefined) {
    versionOf('multicastInterface', multicastInterface);
    writeIPv4(value, IP_MREQ.imr_interface, multicastInterface);
  }
  return { level: IPPROTO_IP, name: join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, value };
}

/** Joining or leaving a group for one source. */
export function sourceMembership(
  join: boolean,
  source: string,
  group: string,
  multicastInterface: string | undefined,
): SocketOption {
  const version = versionOf('sourceAddress', source);
  if (versionOf('groupAddress', group) !== version) {
    throw argValueError('groupAddress', 'must be of the family of the source', group);
  }
  if (version === 6) {
    const value = Buffer.alloc(GROUP_SOURCE_REQ.size);
    value.writeUInt32LE(scopeOf(multicastInterface), GROUP_SOURCE_REQ.gsr_interface);
    writeSockaddr(value, GROUP_SOURCE_REQ.gsr_group, { address: group, family: 'IPv6', port: 0 });
    writeSockaddr(value, GROUP_SOURCE_REQ.gsr_source, { address: source, family: 'IPv6', port: 0 });
    return { level: IPPROTO_IPV6, name: join ? MCAST_JOIN_SOURCE_GROUP : MCAST_LEAVE_SOURCE_GROUP, value };
  }
  const value = Buffer.alloc(IP_MREQ_SOURCE.size);
  writeIPv4(value, IP_MREQ_SOURCE.imr_multiaddr, group);
  writeIPv4(value, IP_MREQ_SOURCE.imr_sourceaddr, source);
  if (multicastInterface !== undefined) {
    versionOf('multicastInterface', multicastInterface);
    writeIPv4(value, IP_MREQ_SOURCE.imr_interface, multicastInterface);
  }
  return { level: IPPROTO_IP, name: join ? IP_ADD_SOURCE_MEMBERSHIP : IP_DROP_SOURCE_MEMBERSHIP, value };
}
