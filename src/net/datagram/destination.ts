import type { Block } from '../../loop/blocks.js';
import { Operation } from '../../loop/operation.js';
import { AF_INET, AF_INET6, type SocketAddress, sockaddrOf } from '../../ring/sockaddr.js';
import { SOCKADDR_IN6 } from '../../ring/structs.js';

const IP6_AT = SOCKADDR_IN6.sin6_addr;
/** How an IPv6 address begins that stands for an IPv4 one, however it is spelled. */
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Whom datagrams are sent to. */
export class Destination {
  /** As the caller gave it. */
  readonly address: string;
  /** -1 for a Unix socket. */
  readonly port: number;
  /** The sockaddr. */
  readonly bytes: Uint8Array;

  /** The sender that it has taken datagrams of, and the longest of them. */
  #sender = 0;
  #longest = 0;
  /** Datagrams for it that leave together in the next turn. */
  batch: GsoBatch | null = null;
  /** How many those are likely to be. */
  trainSize = 1;

  constructor(address: string, port: number, socketAddress: SocketAddress) {
    this.address = address;
    this.port = port;
    this.bytes = new Uint8Array(sockaddrOf(socketAddress));
  }

  /** It took a datagram of a sender: one that is no longer is not refused for what the caller did. */
  validated(sender: number, length: number): void {
    if (this.#sender !== sender) {
      this.#sender = sender;
      this.#longest = length;
    } else if (length > this.#longest) {
      this.#longest = length;
    }
  }

  isProven(sender: number, length: number): boolean {
    return this.#sender === sender && length <= this.#longest;
  }

  /** It refused one after all. */
  invalidate(): void {
    this.#sender = 0;
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

/** Who gathers a batch, and is told how it fared. */
export interface GsoBatchOwner {
  completed(batch: GsoBatch, res: number): void;
}

/** Datagrams of one length to one destination, in a block: the kernel takes them as one and cuts them (GSO). */
export class GsoBatch extends Operation {
  owner: GsoBatchOwner | null = null;
  destination: Destination | null = null;
  block: Block | null = null;
  segmentSize = 0;
  count = 0;
  capacity = 0;

  override get syscall(): string {
    return 'send';
  }

  get length(): number {
    return this.count * this.segmentSize;
  }

  complete(res: number): void {
    this.owner!.completed(this, res);
  }
}
