import { IOVEC, MSGHDR } from '../../sys/abi/structs.js';
import { checkArray, checkBytes, checkInt, checkUint8Array } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { addressOf } from '../../sys/memory/address.js';
import { readSockaddr, SOCKADDR_MAX, type SocketAddress, writeSockaddr } from '../../sys/socket/sockaddr.js';
import { RECVMSG_OUT } from '../abi/structs.js';

/** Every receive sets this flag, and the kernel returns it. recv(2) */
export const MSG_CMSG_CLOEXEC = 0x40000000;

/** The parts of a message. */
export interface MessageOptions {
  /**
   * The data: what to send (a string stands for its UTF-8), or where to receive to. A multishot receive takes none.
   */
  buffers?: readonly (ArrayBufferView | string)[] | undefined;
  /** The address to send to; `true` reserves space for a sender's address. */
  address?: SocketAddress | true | undefined;
  /** Ancillary data to send, or how many bytes to reserve for it. cmsg(3) */
  control?: Uint8Array | number | undefined;
}

const OPTIONS = optionNames<MessageOptions>({ buffers: true, address: true, control: true });

/**
 * A struct msghdr and everything that it points at, for `sendmsg` and `recvmsg`. The kernel writes to it until the
 * operation has completed, so use it for one operation at a time.
 */
export class Message {
  /** @internal struct msghdr */
  readonly header = Buffer.alloc(MSGHDR.size);
  readonly #name = Buffer.alloc(SOCKADDR_MAX);
  readonly #control: Uint8Array;
  readonly #iov: Buffer;
  readonly #nameRoom: number;
  /** @internal All memory that the kernel may touch. */
  readonly parts: ArrayBufferView[];

  constructor(options: MessageOptions) {
    checkOptions(options, OPTIONS);
    const { buffers = [], address, control = 0 } = options;
    checkArray('options.buffers', buffers, 'Buffers');
    const views = Array.from(buffers, (buffer, i) =>
      typeof buffer === 'string' ? Buffer.from(buffer) : checkBytes(`options.buffers[${i}]`, buffer),
    );
    const nameLength = address === undefined ? 0 : this.#writeName(address);
    this.#control =
      typeof control === 'number'
        ? Buffer.alloc(checkInt('options.control', control, 0, 65536))
        : checkUint8Array('options.control', control);
    this.#iov = Buffer.alloc(Math.max(views.length, 1) * IOVEC.size);
    for (const [i, buffer] of views.entries()) {
      this.#pointer(this.#iov, i * IOVEC.size + IOVEC.iov_base, buffer);
      this.#iov.writeBigUInt64LE(BigInt(buffer.byteLength), i * IOVEC.size + IOVEC.iov_len);
    }
    if (nameLength !== 0) this.#pointer(this.header, MSGHDR.msg_name, this.#name);
    this.#nameRoom = nameLength;
    this.#pointer(this.header, MSGHDR.msg_iov, this.#iov);
    this.header.writeBigUInt64LE(BigInt(views.length), MSGHDR.msg_iovlen);
    if (this.#control.length !== 0) this.#pointer(this.header, MSGHDR.msg_control, this.#control);
    this.offerRoom();
    this.parts = [this.header, this.#name, this.#control, this.#iov, ...views];
  }

  #writeName(address: SocketAddress | true): number {
    return address === true ? this.#name.length : writeSockaddr(this.#name, 0, address);
  }

  #pointer(bytes: Buffer, at: number, to: ArrayBufferView): void {
    bytes.writeBigUInt64LE(BigInt(addressOf(to)), at);
  }

  /** @internal All of the space for an address and ancillary data, of which a receive leaves what it has filled. */
  offerRoom(): void {
    this.header.writeUInt32LE(this.#nameRoom, MSGHDR.msg_namelen);
    this.header.writeBigUInt64LE(BigInt(this.#control.length), MSGHDR.msg_controllen);
  }

  /** After a receive: the sender's address, if it has one. */
  get address(): SocketAddress | null {
    return readSockaddr(this.#name, 0, this.header.readUInt32LE(MSGHDR.msg_namelen));
  }

  /** After a receive: its ancillary data. */
  get control(): Uint8Array {
    return this.#control.subarray(0, Number(this.header.readBigUInt64LE(MSGHDR.msg_controllen)));
  }

  /** After a receive: MSG_ flags, for instance MSG_TRUNC. */
  get flags(): number {
    return this.header.readInt32LE(MSGHDR.msg_flags) & ~MSG_CMSG_CLOEXEC;
  }

  /**
   * Parses a completion of `recvmsgMultishot` with this message from its provided buffer,
   * io_uring_recvmsg_validate(3) and its siblings.
   * @param start the offset of the buffer in `bytes`. @param length the completion's result.
   */
  parse(bytes: Buffer, start: number, length: number): ReceivedMessage {
    if (!Buffer.isBuffer(bytes)) throw argTypeError('bytes', 'an instance of Buffer', bytes);
    checkInt('start', start, 0, bytes.length);
    const nameRoom = this.#nameRoom;
    const controlRoom = this.#control.length;
    const name = start + RECVMSG_OUT.size;
    const control = name + nameRoom;
    const payload = control + controlRoom;
    checkInt('length', length, payload - start, bytes.length - start);
    const nameLength = Math.min(bytes.readUInt32LE(start + RECVMSG_OUT.namelen), nameRoom);
    const controlLength = Math.min(bytes.readUInt32LE(start + RECVMSG_OUT.controllen), controlRoom);
    return {
      address: readSockaddr(bytes, name, nameLength),
      control: bytes.subarray(control, control + controlLength),
      payload: bytes.subarray(payload, start + length),
      length: bytes.readUInt32LE(start + RECVMSG_OUT.payloadlen),
      flags: bytes.readInt32LE(start + RECVMSG_OUT.flags) & ~MSG_CMSG_CLOEXEC,
    };
  }
}

/** One message of a multishot receive; views of the provided buffer. */
export interface ReceivedMessage {
  /** The sender's address; null if the kernel gave none. */
  address: SocketAddress | null;
  /** Ancillary data: cmsghdr structs, cmsg(3). */
  control: Buffer;
  /** The part of the message that fitted into the buffer. */
  payload: Buffer;
  /** The full length of the message. */
  length: number;
  /** MSG_ flags, for instance MSG_TRUNC. */
  flags: number;
}
