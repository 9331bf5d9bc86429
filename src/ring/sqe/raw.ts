import { O_CLOEXEC } from '../../sys/abi/flags.js';
import { checkArray, checkInt, checkU16, checkU32, checkUserData } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError, stateError } from '../../sys/errors/errors.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { isWide } from './core.js';
import { MSG_CMSG_CLOEXEC } from './message.js';
import { SqeSystem } from './system.js';

/** 64 bits: a number from 0 to 2^53 - 1, a bigint, -1 for all ones; or a view, which stands for its address. */
export type RawValue = number | bigint | ArrayBufferView;

/**
 * The fields of a struct io_uring_sqe. Each has the first of its names there. Omitted fields are 0, except `fd`, which
 * is -1; `flags`, `userData`, `bufIndex` and `personality` keep what modifiers have set.
 */
export interface RawEntry {
  /** An OP_ value, or that of a newer kernel: 0 to 255. */
  opcode: number;
  /** SQE_ flags. */
  flags?: number | undefined;
  /** 16 bits: a priority, or flags of some operations. */
  ioprio?: number | undefined;
  /** A descriptor or another 32 bits. */
  fd?: number | undefined;
  /** Also `addr2` and `cmd_op`. */
  off?: RawValue | undefined;
  /** Also `splice_off_in`, and `level` with `optname`. */
  addr?: RawValue | undefined;
  /** 32 bits. */
  len?: number | undefined;
  /** 32 bits: `rw_flags` and similar. */
  opFlags?: number | undefined;
  /** The value that the completion returns. */
  userData?: number | bigint | undefined;
  /** 16 bits, also `buf_group`. */
  bufIndex?: number | undefined;
  /** 16 bits. */
  personality?: number | undefined;
  /** 32 bits, as the kernel has them: `splice_fd_in`, `file_index` (which counts from 1), `addr_len`, `optlen`. */
  fileIndex?: number | undefined;
  /** Also `attr_ptr` and `optval`. */
  addr3?: RawValue | undefined;
  /** The last 64 bits, `__pad2` or `attr_type_mask`. */
  pad2?: RawValue | undefined;
  /** Buffers that the entry points at indirectly; they too are kept until the last completion. */
  keep?: readonly ArrayBufferView[] | undefined;
}

const FIELDS = optionNames<RawEntry>({
  opcode: true,
  flags: true,
  ioprio: true,
  fd: true,
  off: true,
  addr: true,
  len: true,
  opFlags: true,
  userData: true,
  bufIndex: true,
  personality: true,
  fileIndex: true,
  addr3: true,
  pad2: true,
  keep: true,
});
const ALL_ONES = 2n ** 64n - 1n;

/** Operations without a method of their own. */
export class SqeRaw extends SqeSystem {
  /**
   * Fills the entry field by field, for operations without a method here. Types and ranges are checked, the meaning is
   * not: the kernel writes to a wrong address. Pass a view instead of an address: it is pinned and kept as with any
   * other operation. io_uring_enter(2)
   */
  raw(entry: RawEntry): this {
    checkOptions(entry, FIELDS, 'entry');
    const { opcode, flags, ioprio = 0, fd = -1, len = 0, opFlags = 0, userData, bufIndex } = entry;
    const { personality, fileIndex = 0, keep = [] } = entry;
    checkInt('entry.opcode', opcode, 0, 255);
    if (flags !== undefined) checkInt('entry.flags', flags, 0, 255);
    checkU16('entry.ioprio', ioprio);
    checkU32('entry.fd', fd);
    checkU32('entry.len', len);
    checkU32('entry.opFlags', opFlags);
    if (userData !== undefined) checkUserData('entry.userData', userData);
    if (bufIndex !== undefined) checkU16('entry.bufIndex', bufIndex);
    if (personality !== undefined) checkU16('entry.personality', personality);
    checkU32('entry.fileIndex', fileIndex);
    const off = this.#value('off', entry.off);
    const addr = this.#value('addr', entry.addr);
    const addr3 = this.#value('addr3', entry.addr3);
    const pad2 = this.#value('pad2', entry.pad2);
    for (const [i, view] of checkArray('entry.keep', keep, 'Buffers').entries()) {
      this.bytes(`entry.keep[${i}]`, view);
    }
    if (isWide(opcode)) this.assertWide();
    // The kernel owns it until it has selected it.
    if (opcode === abi.OP_PROVIDE_BUFFERS) this.keptForever.push(...this.kept);
    this.prep(opcode, fd, 0, len, 0).opFlags(opFlags).ioprio(ioprio).fileIndex(fileIndex);
    this.value64(SQE.off, off).value64(SQE.addr, addr);
    this.value64(SQE.addr3, addr3).value64(SQE.addr3 + 2, pad2);
    if (flags !== undefined) this.setFlags(flags);
    if (userData !== undefined) this.userData(userData);
    if (bufIndex !== undefined) this.bufIndex(bufIndex);
    if (personality !== undefined) this.personality(personality);
    return this;
  }

  #value(name: string, value: RawValue | undefined): number | bigint {
    if (value === undefined) return 0;
    if (value === -1) return ALL_ONES;
    if (ArrayBuffer.isView(value)) return this.bytes(`entry.${name}`, value);
    if (typeof value !== 'number' && typeof value !== 'bigint') {
      throw argTypeError(`entry.${name}`, 'of type number or bigint or an instance of Buffer', value);
    }
    checkUserData(`entry.${name}`, value);
    return value;
  }

  /**
   * Lets child processes inherit the descriptor (after an operation that creates one). By default close-on-exec is set,
   * as Node does everywhere. The kernel's own default is the opposite.
   */
  inherit(): this {
    const { words, at } = this;
    const op = words[at]! & 0xff;
    if (op === abi.OP_OPENAT || op === abi.OP_ACCEPT || op === abi.OP_PIPE) {
      words[at + SQE.opFlags]! &= ~O_CLOEXEC;
    } else if (op === abi.OP_SOCKET) {
      words[at + SQE.off]! &= ~O_CLOEXEC;
    } else if (op === abi.OP_RECVMSG) {
      words[at + SQE.opFlags]! &= ~MSG_CMSG_CLOEXEC;
    } else if (op === abi.OP_FIXED_FD_INSTALL) {
      words[at + SQE.opFlags]! |= abi.FIXED_FD_NO_CLOEXEC;
    } else if (op === abi.OP_OPENAT2) {
      this.inheritHow();
    } else if (words.length !== 0) {
      throw stateError('inherit() must follow an operation that creates a descriptor');
    }
    return this;
  }
}
