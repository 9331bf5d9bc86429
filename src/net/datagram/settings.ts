import { checkInt } from '../../sys/check/check.js';
import { AF_INET6 } from '../../sys/socket/sockaddr.js';
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

/** The settings of a datagram socket, with the names of `node:dgram`. */
export abstract class DatagramSettings extends SocketOptions {
  /** @internal Its AF_ value. */
  protected abstract readonly domain: number;

  /** Allows sending to broadcast addresses, SO_BROADCAST. */
  setBroadcast(enable: boolean): this {
    return this.#setTo({ ...BROADCAST, value: enable ? 1 : 0 }, 'setBroadcast');
  }

  /** The maximum number of hops of a datagram, 1 to 255. IP_TTL, IPV6_UNICAST_HOPS */
  setTTL(ttl: number): this {
    checkInt('ttl', ttl, 1, 255);
    return this.#setBoth(HOPS, ttl, 'setTTL');
  }

  /** The maximum number of hops of a multicast datagram, 0 to 255; initially 1. */
  setMulticastTTL(ttl: number): this {
    checkInt('ttl', ttl, 0, 255);
    return this.#setBoth(MULTICAST_HOPS, ttl, 'setMulticastTTL');
  }

  /** Whether multicast datagrams are also delivered to members on this host; initially they are. */
  setMulticastLoopback(enable: boolean): this {
    return this.#setBoth(MULTICAST_LOOP, enable ? 1 : 0, 'setMulticastLoopback');
  }

  /** The interface for outgoing multicast datagrams: its IPv4 address, or for IPv6 `::%eth0`, as in node:dgram. */
  setMulticastInterface(multicastInterface: string): this {
    return this.#setTo(outgoingInterface(multicastInterface), 'setMulticastInterface');
  }

  /**
   * Joins a multicast group.
   * @param multicastInterface its IPv4 address, or for IPv6 `::%eth0`; by default the system's choice.
   */
  addMembership(multicastAddress: string, multicastInterface?: string): this {
    return this.#setTo(membership(true, multicastAddress, multicastInterface), 'addMembership');
  }

  /** Undoes `addMembership`; closing does so too. */
  dropMembership(multicastAddress: string, multicastInterface?: string): this {
    return this.#setTo(membership(false, multicastAddress, multicastInterface), 'dropMembership');
  }

  /** Joins a group for the datagrams of one sender. */
  addSourceSpecificMembership(source: string, group: string, multicastInterface?: string): this {
    const option = sourceMembership(true, source, group, multicastInterface);
    return this.#setTo(option, 'addSourceSpecificMembership');
  }

  /** Undoes `addSourceSpecificMembership`. */
  dropSourceSpecificMembership(source: string, group: string, multicastInterface?: string): this {
    const option = sourceMembership(false, source, group, multicastInterface);
    return this.#setTo(option, 'dropSourceSpecificMembership');
  }

  /** The size of the kernel's receive buffer in bytes: twice the requested size, socket(7). */
  getRecvBufferSize(): number {
    return this.getInt(RECEIVE_BUFFER.level, RECEIVE_BUFFER.name, 'getRecvBufferSize');
  }

  /** Requests a receive buffer of `size` bytes, up to net.core.rmem_max. */
  setRecvBufferSize(size: number): this {
    checkInt('size', size, 1, 0x7fffffff);
    return this.#setTo({ ...RECEIVE_BUFFER, value: size }, 'setRecvBufferSize');
  }

  /** The size of the kernel's send buffer in bytes. */
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
