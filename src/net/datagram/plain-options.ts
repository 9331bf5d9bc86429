/** The numeric settings of datagram sockets, as socket options. ip(7), ipv6(7), socket(7) */
import {
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_UNICAST_HOPS,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
} from '../../sys/abi/sockets.js';

/** The level and name of an option. */
export interface OptionName {
  readonly level: number;
  readonly name: number;
}

/** An option of IPv4, and the corresponding one of IPv6. */
export interface IpOption {
  readonly ipv4: OptionName;
  readonly ipv6: OptionName;
}

function ipOption(ipv4: number, ipv6: number): IpOption {
  return { ipv4: { level: IPPROTO_IP, name: ipv4 }, ipv6: { level: IPPROTO_IPV6, name: ipv6 } };
}

export const HOPS = ipOption(IP_TTL, IPV6_UNICAST_HOPS);
export const MULTICAST_HOPS = ipOption(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS);
export const MULTICAST_LOOP = ipOption(IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP);
export const BROADCAST: OptionName = { level: SOL_SOCKET, name: SO_BROADCAST };
export const RECEIVE_BUFFER: OptionName = { level: SOL_SOCKET, name: SO_RCVBUF };
export const SEND_BUFFER: OptionName = { level: SOL_SOCKET, name: SO_SNDBUF };
