import { RECVMSG_OUT } from '../../ring/abi/structs.js';
import { EINVAL, ENOBUFS } from '../../sys/abi/errno.js';
import { MSG_DONTWAIT } from '../../sys/abi/sockets.js';
import { IOVEC, MMSGHDR, MSGHDR } from '../../sys/abi/structs.js';
import { NR_RECVMMSG } from '../../sys/abi/syscall-numbers.js';
import { libc } from '../../sys/libc/libc.js';
import { Mapping } from '../../sys/memory/mapping.js';
import type { Entry } from '../entry.js';
import type { Group } from '../groups.js';

/** The maximum number of messages of one call. */
const BATCH = 32;
const TWO_32 = 2 ** 32;
const HEADER_WORDS = MMSGHDR.size >> 2;
const IOVEC_WORDS = IOVEC.size >> 2;
const IOVECS_AT = BATCH * MMSGHDR.size;
const ROOM_AT = IOVECS_AT + BATCH * IOVEC.size;
const SIZE = ROOM_AT + MSGHDR.size;

/** Receives completions. */
interface Posts {
  post(entry: Entry, res: number, flags: number): void;
}

/**
 * Receives messages in batches, each into a buffer of a group: a struct io_uring_recvmsg_out, then the space for an
 * address and for control messages, then the data. recvmmsg(2)
 */
export class MessageBatch {
  readonly #memory = Mapping.anonymous(SIZE);
  readonly #words = new Int32Array(this.#memory.buffer);
  readonly #call = libc().syscall;
  /** How many to request: one more call costs more than preparing for a few. */
  #count = 2;

  constructor() {
    const { address } = this.#memory;
    for (let i = 0; i < BATCH; i++) {
      const header = i * HEADER_WORDS;
      const iovec = address + IOVECS_AT + i * IOVEC.size;
      this.#words[header + (MSGHDR.msg_iov >> 2)] = iovec;
      this.#words[header + (MSGHDR.msg_iov >> 2) + 1] = iovec / TWO_32;
      this.#words[header + (MSGHDR.msg_iovlen >> 2)] = 1;
    }
  }

  /** Copies the space that an entry reserves from its struct msghdr, while that exists. */
  begin(entry: Entry): void {
    libc().copy(this.#memory.address + ROOM_AT, entry.addr, MSGHDR.size);
    entry.nameRoom = this.#words[(ROOM_AT + MSGHDR.msg_namelen) >> 2]!;
    entry.controlRoom = this.#words[(ROOM_AT + MSGHDR.msg_controllen) >> 2]!;
  }

  /**
   * Receives one batch of available messages; a negative errno if there is none. Otherwise they have been posted, and
   * the result is 1 if there may be more, else 0.
   */
  receive(ring: Posts, entry: Entry, group: Group): number {
    const head = RECVMSG_OUT.size + entry.nameRoom + entry.controlRoom;
    if (group.empty) return ENOBUFS;
    if (entry.nameRoom < 0 || entry.controlRoom < 0 || group.room <= head) return EINVAL;
    const count = Math.min(this.#count, group.available);
    for (let i = 0; i < count; i++) this.#prepare(i, entry, group, head);
    const flags = entry.opFlags | MSG_DONTWAIT;
    const taken = this.#call(NR_RECVMMSG, entry.fd, this.#memory.address, count, flags, 0, 0);
    if (taken < 0) return taken;
    for (let i = 0; i < taken; i++) this.#post(i, ring, entry, group, head);
    this.#count = taken === count ? Math.min(count * 2, BATCH) : Math.max(taken + 1, 2);
    return taken === count ? 1 : 0;
  }

  #prepare(i: number, entry: Entry, group: Group, head: number): void {
    const words = this.#words;
    const at = i * HEADER_WORDS;
    const start = group.address + group.startOf(i);
    // With an address, also without space for it, the kernel reports the length of the sender's.
    const name = entry.nameRoom === 0 ? 0 : start + RECVMSG_OUT.size;
    const control = start + RECVMSG_OUT.size + entry.nameRoom;
    words[at + (MSGHDR.msg_name >> 2)] = name;
    words[at + (MSGHDR.msg_name >> 2) + 1] = name / TWO_32;
    words[at + (MSGHDR.msg_namelen >> 2)] = entry.nameRoom;
    words[at + (MSGHDR.msg_control >> 2)] = control;
    words[at + (MSGHDR.msg_control >> 2) + 1] = control / TWO_32;
    words[at + (MSGHDR.msg_controllen >> 2)] = entry.controlRoom;
    words[at + (MSGHDR.msg_flags >> 2)] = 0;
    const iovec = (IOVECS_AT >> 2) + i * IOVEC_WORDS;
    const payload = start + head;
    words[iovec] = payload;
    words[iovec + 1] = payload / TWO_32;
    words[iovec + 2] = (i === 0 ? group.room : group.bufferSize) - head;
  }

  #post(i: number, ring: Posts, entry: Entry, group: Group, head: number): void {
    const words = this.#words;
    const at = i * HEADER_WORDS;
    const out = group.start >> 2;
    const length = words[at + (MMSGHDR.msg_len >> 2)]!;
    const room = group.room - head;
    group.words[out + (RECVMSG_OUT.namelen >> 2)] = words[at + (MSGHDR.msg_namelen >> 2)]!;
    group.words[out + (RECVMSG_OUT.controllen >> 2)] = words[at + (MSGHDR.msg_controllen >> 2)]!;
    group.words[out + (RECVMSG_OUT.payloadlen >> 2)] = length;
    group.words[out + (RECVMSG_OUT.flags >> 2)] = words[at + (MSGHDR.msg_flags >> 2)]!;
    const res = head + Math.min(length, room);
    ring.post(entry, res, group.take(res));
  }

  unmap(): void {
    this.#memory.unmap();
  }
}
