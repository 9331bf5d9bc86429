import { checkInt } from '../../ring/check.js';
import { AF_INET6 } from '../../ring/sockaddr.js';
import { SocketOptions } from '../socket/socket-options.js';
import { membership, outgoingInterface, type SocketOption, sourceMembership } from './multicast.js';
import {
  BROADCAST,
  HOPS,
  type IpOption,
  MULTICAST_HOPS,
  MULTICAST_LOOP,
  RECEIVE_BUFFER,
  SEND_BUFFER,
} from './plain-options.js';

/** What can be set on a datagram socket, with the names of `node:dgram`. */
export abstract class DatagramSettings extends SocketOptions {
  /** @internal Its AF. */
  protected abstract readonly domain: number;

  /** Lets datagrams go to broadcast addresses, SO_BROADCAST. */
  setBroadcast(enable: boolean): this {
    return this.#setTo({ ...BROADCAST, value: enable ? 1 : 0 }, 'setBroadcast');
  }

  /** How many hops a datagram may take, 1 to 255. IP_TTL, IPV6_UNICAST_HOPS */
  setTTL(ttl: number): this {
    checkInt('ttl', ttl, 1, 255);
    return this.#setBoth(HOPS, ttl, 'setTTL');
  }

  /** How many hops a datagram to a multicast group may take, 0 to 255; at first 1. */
  setMulticastTTL(ttl: number): this {
    checkInt('ttl', ttl, 0, 255);
    return this.#setBoth(MULTICAST_HOPS, ttl, 'setMulticastTTL');
  }

  /** Whether what is sent to a group comes back to members on this host; at first it does. */
  setMulticastLoopback(enable: boolean): this {
    return this.#setBoth(MULTICAST_LOOP, enable ? 1 : 0, 'setMulticastLoopback');
  }

  /** By which interface datagrams to groups leave: its IPv4 address, or for IPv6 `::%eth0`, as in node:dgram. */
  setMulticastInterface(multicastInterface: string): this {
    return this.#setTo(outgoingInterface(multicastInterface), 'setMulticastInterface');
  }

  /**
   * Receives what is sent to a group.
   * @param multicastInterface its IPv4 address, or for IPv6 `::%eth0`; by default the system's choice.
   */
  addMembership(multicastAddress: string, multicastInterface?: string): this {
    return this.#setTo(membership(true, multicastAddress, multicastInterface), 'addMembership');
  }

  /** Takes `addMembership` back; closing does so too. */
  dropMembership(multicastAddress: string, multicastInterface?: string): this {
    return this.#setTo(membership(false, multicastAddress, multicastInterface), 'dropMembership');
  }

  /** Receives what one sender sends to a group. */
  addSourceSpecificMembership(source: string, group: string, multicastInterface?: string): this {
    const option = sourceMembership(true, source, group, multicastInterface);
    return this.#setTo(option, 'addSourceSpecificMembership');
  }

  /** Takes `addSourceSpecificMembership` back. */
  dropSourceSpecificMembership(source: string, group: string, multicastInterface?: string): this {
    const option = sourceMembership(false, source, group, multicastInterface);
    return this.#setTo(option, 'dropSourceSpecificMembership');
  }

  /** Bytes that the kernel keeps of what has arrived. It doubles what was asked for, socket(7). */
  getRecvBufferSize(): number {
    return this.getInt(RECEIVE_BUFFER.level, RECEIVE_BUFFER.name, 'getRecvBufferSize');
  }

  /** Requests a receive buffer of `size` bytes, up to net.core.rmem_max. */
  setRecvBufferSize(size: number): this {
    checkInt('size', size, 1, 0x7fffffff);
    return this.#setTo({ ...RECEIVE_BUFFER, value: size }, 'setRecvBufferSize');
  }

  /** Bytes that the kernel takes of what is to be sent. */
  getSendBufferSize(): number {
    return this.getInt(SEND_BUFFER.level, SEND_BUFFER.name, 'getSendBufferSize');
  }

  /** Requests a send buffer of `size` bytes, up to net.core.wmem_max. */
  setSendBufferSize(size: number): this {
    checkInt('size', size, 1, 0x7fffffff);
    return this.#setTo({ ...SEND_BUFFER, value: size }, 'setSendBufferSize');
  }

  /** Sets an option for IPv4, which a socket of IPv6 may speak too, and for IPv6. */
  #setBoth({ ipv4, ipv6 }: IpOption, value: number, syscall: string): this {
    if (this.domain === AF_INET6) this.#setTo({ ...ipv6, value }, syscall);
    return this.#setTo({ ...ipv4, value }, syscall);
  }

  #setTo({ level, name, value }: SocketOption, syscall: string): this {
    return this.set(level, name, value, syscall);
  }
}
