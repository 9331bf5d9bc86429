import { MSG_NOSIGNAL } from '../../sys/abi/sockets.js';
import { checkFd, checkU16, checkU32 } from '../../sys/check/check.js';
import { argTypeError } from '../../sys/errors/errors.js';
import * as abi from '../abi/io-uring.js';
import { Message, MSG_CMSG_CLOEXEC } from './message.js';
import { SqeSockets } from './sockets.js';

/** Operations on sockets with addresses and ancillary data. */
export class SqeMessages extends SqeSockets {
  #message(op: number, fd: number, message: Message, flags: number): this {
    checkFd(fd);
    checkU32('flags', flags);
    if (!(message instanceof Message)) throw argTypeError('message', 'an instance of Message', message);
    const address = this.bytes('message', message.header);
    for (const part of message.parts) this.bytes('message', part);
    return this.prep(op, fd, address, 1, 0).opFlags(flags);
  }

  /** Sends a message; the result is the number of bytes. io_uring_prep_sendmsg(3), sendmsg(2), 5.3 */
  sendmsg(fd: number, message: Message, flags = MSG_NOSIGNAL): this {
    return this.#message(abi.OP_SENDMSG, fd, message, flags);
  }

  /**
   * Receives a message; the result is the number of bytes.
   * @param flags MSG_ flags; MSG_CMSG_CLOEXEC is added, for descriptors that come with the message (see `inherit`).
   * io_uring_prep_recvmsg(3), recvmsg(2), 5.3
   */
  recvmsg(fd: number, message: Message, flags = 0): this {
    this.#message(abi.OP_RECVMSG, fd, message, checkU32('flags', flags) | MSG_CMSG_CLOEXEC);
    message.offerRoom();
    return this;
  }

  /**
   * Receives messages repeatedly into buffers of a group, until it fails or the group is empty; `message.parse` parses
   * them. `message` sets how much space each has for an address and ancillary data.
   * io_uring_prep_recvmsg_multishot(3), 6.0
   */
  recvmsgMultishot(fd: number, message: Message, group: number, flags = 0): this {
    checkU16('group', group);
    return this.recvmsg(fd, message, flags).ioprio(abi.RECV_MULTISHOT).bufferSelect(group);
  }

  /** Sends a message without a copy; completes twice, like `sendZc`. io_uring_prep_sendmsg_zc(3), 6.1 */
  sendmsgZc(fd: number, message: Message, flags = MSG_NOSIGNAL): this {
    return this.#message(abi.OP_SENDMSG_ZC, fd, message, flags);
  }

  /** As `sendmsgZc`, with the data in a registered buffer. io_uring_prep_sendmsg_zc_fixed(3), 6.15 */
  sendmsgZcFixed(fd: number, message: Message, flags: number, bufIndex: number): this {
    checkU16('bufIndex', bufIndex);
    return this.sendmsgZc(fd, message, flags).ioprio(abi.RECVSEND_FIXED_BUF).bufIndex(bufIndex);
  }
}
