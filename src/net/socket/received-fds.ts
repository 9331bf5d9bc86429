/** Descriptors that arrive over Unix sockets: SCM_RIGHTS, unix(7). */

import { closeFile } from '../../loop/closing/close.js';
import { disown, own } from '../../loop/closing/owned-descriptors.js';
import type { Loop } from '../../loop/loop.js';
import { Message, MSG_CMSG_CLOEXEC } from '../../ring/sqe/message.js';
import { MSG_DONTWAIT, SCM_RIGHTS, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { CMSGHDR, MSGHDR } from '../../sys/abi/structs.js';
import { libc } from '../../sys/libc/libc.js';

/** The maximum number of descriptors in one message. SCM_MAX_FD */
export const FDS_MAX = 253;

const MSG_CTRUNC = 0x8;
const CHUNK_MAX = 64 * 1024;
/** Space for the maximum number of descriptors, and for other messages that the socket may have enabled. */
const CONTROL_ROOM = CMSGHDR.size + FDS_MAX * 4 + 256;

/** Bytes from a Unix socket, and the descriptors that came with them. */
export interface ReceivedFds {
  /** The received bytes, at least one; they belong to the caller. */
  data: Buffer;
  /** The descriptors, for the caller to close; none if only bytes came. Child processes do not inherit them. */
  fds: number[];
  /** Whether some were lost because this process had no free descriptor. */
  truncated: boolean;
}

interface Group {
  /** The stream position after the last byte that they came with. */
  readonly end: number;
  readonly fds: number[];
  readonly truncated: boolean;
}

/** The thread's receive memory. One call at a time uses it, and does not wait. */
let scratch: { bytes: Buffer; message: Message } | undefined;

/**
 * Receives at a socket that accepts descriptors, by a system call once data is there: so they have an owner from the
 * start, and none can arrive after the end of its thread.
 */
export class FdReceiver {
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #groups: Group[] = [];
  #received = 0;

  constructor(loop: Loop, fd: number) {
    this.#loop = loop;
    this.#fd = fd;
  }

  /** The available bytes; or 0 at the end, or a negative errno. */
  receive(): Buffer | number {
    if (scratch === undefined) {
      const bytes = Buffer.alloc(CHUNK_MAX);
      scratch = { bytes, message: new Message({ buffers: [bytes], control: CONTROL_ROOM }) };
    }
    const { bytes, message } = scratch;
    message.header.writeUInt32LE(CONTROL_ROOM, MSGHDR.msg_controllen);
    const length = libc().recvmsg(this.#fd, message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length <= 0) return length;
    this.#received += length;
    const { control, flags } = message;
    const fds = control.length === 0 ? [] : descriptorsIn(Buffer.from(control));
    const truncated = (flags & MSG_CTRUNC) !== 0;
    // The kernel ends a receive after a message with descriptors.
    if (fds.length !== 0 || truncated) this.#groups.push({ end: this.#received, fds, truncated });
    return Buffer.from(bytes.subarray(0, length));
  }

  /** Hands out the descriptors that came with the bytes read, which are all but the last `unread` ones. */
  take(data: Buffer, unread: number): ReceivedFds {
    const taken: ReceivedFds = { data, fds: [], truncated: false };
    while (this.#isRead(unread)) {
      const { fds, truncated } = this.#groups.shift()!;
      for (const fd of fds) disown(fd);
      taken.fds.push(...fds);
      taken.truncated ||= truncated;
    }
    return taken;
  }

  /** Closes descriptors whose bytes were read by a call that does not take any. */
  drop(unread: number): void {
    while (this.#isRead(unread)) this.#close(this.#groups.shift()!);
  }

  #isRead(unread: number): boolean {
    const first = this.#groups[0];
    return first !== undefined && first.end <= this.#received - unread;
  }

  /** Closes all that were not taken. */
  close(): void {
    for (const group of this.#groups.splice(0)) this.#close(group);
  }

  #close({ fds }: Group): void {
    // There is no caller to report a failed close to.
    for (const fd of fds) closeFile(this.#loop, fd).catch(() => {});
  }
}

/** The descriptors in control messages, which are closed when this thread ends from now on. */
function descriptorsIn(control: Buffer): number[] {
  const fds: number[] = [];
  for (let at = 0; at + CMSGHDR.size <= control.length; ) {
    const length = control.readUInt32LE(at + CMSGHDR.cmsg_len);
    if (length < CMSGHDR.size) break;
    const level = control.readInt32LE(at + CMSGHDR.cmsg_level);
    const type = control.readInt32LE(at + CMSGHDR.cmsg_type);
    if (level === SOL_SOCKET && type === SCM_RIGHTS) {
      for (let fd = at + CMSGHDR.size; fd + 4 <= at + length; fd += 4) fds.push(control.readInt32LE(fd));
    }
    at += (length + 7) & -8;
  }
  for (const fd of fds) own(fd);
  return fds;
}
