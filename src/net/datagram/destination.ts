/** An address that datagrams are sent to, in the kernel's form. */

import { SOCKADDR_IN6 } from '../../sys/abi/structs.js';
import { AF_INET, AF_INET6, type SocketAddress, sockaddrOf } from '../../sys/socket/sockaddr.js';

const IP6_AT = SOCKADDR_IN6.sin6_addr;
/** The first bytes of an IPv6 address that stands for an IPv4 one, in any spelling. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** A destination in the kernel's form. All sockets of a thread share it. */
export class Destination {
  /** As the caller passed it. */
  readonly address: string;
  /** -1 for a Unix socket. */
  readonly port: number;
  /** The sockaddr. */
  readonly bytes: Uint8Array;

  constructor(address: string, port: number, socketAddress: SocketAddress) {
    this.address = address;
    this.port = port;
    this.bytes = new Uint8Array(sockaddrOf(socketAddress));
  }

  /** Details for errors. */
  get details(): { address: string; port: number } | { path: string } {
    return this.port < 0 ? { path: this.address } : { address: this.address, port: this.port };
  }

  /** Whether it is reached by IPv4, possibly from an IPv6 socket. */
  get isIPv4(): boolean {
    return (
      this.bytes[0] === AF_INET ||
      (this.bytes[0] === AF_INET6 && MAPPED.every((byte, i) => this.bytes[IP6_AT + i] === byte))
    );
  }
}
