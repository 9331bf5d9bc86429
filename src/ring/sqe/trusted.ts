import { AT_FDCWD, O_CLOEXEC } from '../../sys/abi/flags.js';
import { MSGHDR } from '../../sys/abi/structs.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import type { FileRef } from './file-ref.js';
import { SqeRaw } from './raw.js';

/**
 * Builders for the layers above. They take addresses where the others take buffers, check nothing and keep nothing
 * alive. Their callers own the memory until the last completion.
 */
export class SqeTrusted extends SqeRaw {
  #onFile(op: number, file: FileRef, address: number, length: number, offset: number): this {
    if (file >= 0) return this.prep(op, file, address, length, offset);
    return this.prep(op, ~file, address, length, offset).fixedFile();
  }

  // --- Files ------------------------------------------------------------------------------------

  /** @internal @param position -1 for the current one. @param buffer the index of a registered buffer, or -1. */
  readAt(file: FileRef, address: number, length: number, position: number, buffer = -1): this {
    if (buffer < 0) return this.#onFile(abi.OP_READ, file, address, length, position);
    return this.#onFile(abi.OP_READ_FIXED, file, address, length, position).bufIndex(buffer);
  }

  /** @internal As `readAt`. */
  writeAt(file: FileRef, address: number, length: number, position: number, buffer = -1): this {
    if (buffer < 0) return this.#onFile(abi.OP_WRITE, file, address, length, position);
    return this.#onFile(abi.OP_WRITE_FIXED, file, address, length, position).bufIndex(buffer);
  }

  /** @internal Relative to the current directory; the result is a descriptor. */
  openPath(path: string | Uint8Array, flags: number, mode: number): this {
    const address = this.path('path', path);
    return this.prep(abi.OP_OPENAT, AT_FDCWD, address, mode, 0).opFlags(flags | O_CLOEXEC);
  }

  /** @internal As `openPath`, into a slot of the registered files. */
  openPathDirect(path: string | Uint8Array, flags: number, mode: number, index: number): this {
    const address = this.path('path', path);
    return this.prep(abi.OP_OPENAT, AT_FDCWD, address, mode, 0)
      .opFlags(flags & ~O_CLOEXEC)
      .directSlot(index);
  }

  /** @internal @param path '' for the descriptor itself. */
  statxAt(fd: number, path: string | Uint8Array, flags: number, mask: number, address: number): this {
    const name = this.path('path', path);
    return this.prep(abi.OP_STATX, fd, name, mask, address).opFlags(flags);
  }

  /** @internal @param target a descriptor or a path. */
  getxattrAt(target: number | string | Uint8Array, name: string, address: number, size: number): this {
    return this.#xattr(abi.OP_FGETXATTR, abi.OP_GETXATTR, target, name, address, size);
  }

  /** @internal As `getxattrAt`. */
  setxattrAt(
    target: number | string | Uint8Array,
    name: string,
    address: number,
    size: number,
    flags: number,
  ): this {
    return this.#xattr(abi.OP_FSETXATTR, abi.OP_SETXATTR, target, name, address, size).opFlags(flags);
  }

  #xattr(
    fdOp: number,
    pathOp: number,
    target: number | string | Uint8Array,
    name: string,
    address: number,
    size: number,
  ): this {
    const nameAt = this.path('name', name);
    if (typeof target === 'number') return this.prep(fdOp, target, nameAt, size, address);
    const path = this.path('path', target);
    return this.prep(pathOp, 0, nameAt, size, address).addr3(path);
  }

  /** @internal */
  fdatasync(fd: number): this {
    return this.fsync(fd, abi.FSYNC_DATASYNC);
  }

  // --- Sockets ----------------------------------------------------------------------------------

  /** @internal */
  recvAt(fd: number, address: number, length: number, flags: number): this {
    return this.prep(abi.OP_RECV, fd, address, length, 0).opFlags(flags);
  }

  /** @internal */
  sendAt(fd: number, address: number, length: number, flags: number): this {
    return this.prep(abi.OP_SEND, fd, address, length, 0).opFlags(flags);
  }

  /** @internal Completes twice, like `sendZc`. */
  sendZcAt(fd: number, address: number, length: number, flags: number): this {
    return this.prep(abi.OP_SEND_ZC, fd, address, length, 0).opFlags(flags);
  }

  /** @internal @param header the address of a struct msghdr. */
  sendmsgAt(fd: number, header: number, flags: number): this {
    return this.prep(abi.OP_SENDMSG, fd, header, 1, 0).opFlags(flags);
  }

  /** @internal Connects to a socket address in bytes, which are copied. */
  connectTo(fd: number, name: Uint8Array): this {
    return this.prep(abi.OP_CONNECT, fd, this.copied(name), 0, name.length);
  }

  /** @internal Sets the destination of the preceding `sendAt`, in bytes, which are copied. */
  toName(name: Uint8Array): this {
    return this.off(this.copied(name)).fileIndex(name.length);
  }

  /** @internal Copies bytes to scratch memory and returns the address. */
  copied(bytes: Uint8Array): number {
    const address = this.scratch.alloc(bytes.length);
    this.scratch.bytes.set(bytes, this.scratch.start);
    return address;
  }

  /** @internal Receives datagrams into buffers of a group, each after the space for a name and control messages. */
  recvmsgMultishotAt(fd: number, nameRoom: number, controlRoom: number, flags: number, group: number): this {
    // The kernel reads only how much space there is for a name and for control messages.
    const header = this.scratch.alloc(MSGHDR.size);
    const { bytes, start } = this.scratch;
    bytes.fill(0, start, start + MSGHDR.size);
    bytes.writeUInt32LE(nameRoom, start + MSGHDR.msg_namelen);
    bytes.writeUInt32LE(controlRoom, start + MSGHDR.msg_controllen);
    return this.prep(abi.OP_RECVMSG, fd, header, 1, 0)
      .opFlags(flags)
      .ioprio(abi.RECV_MULTISHOT)
      .bufferSelect(group);
  }

  /** @internal Cancels everything in flight. */
  cancelAll(): this {
    return this.cancelAny(abi.ASYNC_CANCEL_ALL);
  }

  /** @internal Adds `count` buffers to a group, from `address` on; the first has the id `id`. */
  provideBuffersAt(address: number, bufferSize: number, count: number, group: number, id: number): this {
    return this.prep(abi.OP_PROVIDE_BUFFERS, count, address, bufferSize, id).bufIndex(group);
  }

  // --- The loop's own -----------------------------------------------------------------------------

  /** @internal Cancels the operation with this user_data. */
  cancelWords(low: number, high: number): this {
    return this.prep(abi.OP_ASYNC_CANCEL, -1, high * 2 ** 32 + low, 0, 0);
  }

  /** @internal Cancels all operations on a descriptor. */
  cancelAllOf(fd: number): this {
    return this.cancelFd(fd, abi.ASYNC_CANCEL_ALL);
  }

  /** @internal Posts a completion with this user_data on the ring with this descriptor. 5.18 */
  postTo(ringFd: number, low: number, high: number): this {
    const { words, at } = this.prep(abi.OP_MSG_RING, ringFd, abi.MSG_DATA, 0, 0);
    words[at + SQE.off] = low;
    words[at + SQE.off + 1] = high;
    return this;
  }
}
