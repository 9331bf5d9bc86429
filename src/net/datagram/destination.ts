/** An address that datagrams are sent to, as the kernel takes it. */
import { AF_INET, AF_INET6, type SocketAddress, sockaddrOf } from '../../ring/sockaddr.js';
import { SOCKADDR_IN6 } from '../../ring/structs.js';

const IP6_AT = SOCKADDR_IN6.sin6_addr;
/** How an IPv6 address begins that stands for an IPv4 one, however it is spelled. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Where datagrams are sent: an address as the kernel takes it. Shared by all sockets of a thread. */
export class Destination {
  /** As the caller gave it. */
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

  /** For errors. */
  get details(): { address: string; port: number } | { path: string } {
    return this.port < 0 ? { path: this.address } : { address: this.address, port: this.port };
  }

  /** Whether it is reached by IPv4, also from an IPv6 socket. */
  get isIPv4(): boolean {
    return (
      this.bytes[0] === AF_INET ||
      (this.bytes[0] === AF_INET6 && MAPPED.every((byte, i) => this.bytes[IP6_AT + i] === byte))
    );
  }
}
