import { EEXIST, EINVAL } from '../../sys/abi/errno.js';
import { closedError, systemError } from '../../sys/errors/errors.js';
import type { Libc } from '../../sys/libc/interface.js';
import { libc } from '../../sys/libc/libc.js';
import * as abi from '../abi/io-uring.js';
import { RSRC_UPDATE2 } from '../abi/structs.js';
import { ringClosed, ringOpened } from './worker-threads.js';

/** A ring as system calls name it: by its descriptor, or by its index among this thread's registered rings. */
export class RingHandle {
  /** The descriptor; -1 once closed, and in a ring without one. */
  fd: number;
  /** How many times io_uring_enter(2) was called. */
  enters = 0;
  readonly #libc: Libc = libc();
  /** The FEAT_ flags of this kernel. */
  readonly #features: number;
  /** The descriptor or the index; -1 once closed. */
  #name: number;
  /** ENTER_ flags for every call. */
  #always = 0;

  /** @param name the result of io_uring_setup(2) for a ring with these SETUP_ and FEAT_ flags. */
  constructor(name: number, flags: number, features: number) {
    this.#name = name;
    this.#features = features;
    ringOpened();
    if (flags & abi.SETUP_REGISTERED_FD_ONLY) {
      this.fd = -1;
      this.#always = abi.ENTER_REGISTERED_RING;
    } else {
      this.fd = name;
    }
  }

  get closed(): boolean {
    return this.#name < 0;
  }

  assertOpen(): void {
    if (this.#name < 0) throw closedError('The ring');
  }

  /** io_uring_enter(2); returns its result or -errno. */
  enter(toSubmit: number, waitNr: number, flags: number, arg = 0, argSize = 0): number {
    this.enters++;
    return this.#libc.ioUringEnter(this.#name, toSubmit, waitNr, flags | this.#always, arg, argSize);
  }

  /** io_uring_enter(2) with a struct io_uring_getevents_arg. */
  enterArg(toSubmit: number, waitNr: number, flags: number, arg: Uint8Array): number {
    this.enters++;
    return this.#libc.ioUringEnterArg(this.#name, toSubmit, waitNr, flags | this.#always, arg);
  }

  /** Submits one entry that opens a descriptor; see Libc. */
  enterOpening(words: Int32Array, at: number, mark: number): number {
    this.enters++;
    return this.#libc.enterOpening(this.#name, this.#always, words, at, mark);
  }

  /** Submits entries, one of which closes a descriptor; see Libc. */
  enterClosing(toSubmit: number, flags: number, fd: number): number {
    this.enters++;
    return this.#libc.enterClosing(this.#name, toSubmit, flags | this.#always, fd);
  }

  /** Whether every wait counts as iowait from now on. */
  setIowait(enabled: boolean): void {
    if (enabled) this.#always &= ~abi.ENTER_NO_IOWAIT;
    else this.#always |= abi.ENTER_NO_IOWAIT;
  }

  #registered(): boolean {
    return (this.#always & abi.ENTER_REGISTERED_RING) !== 0;
  }

  /** io_uring_register(2); returns its result or -errno. */
  register(opcode: number, arg: Uint8Array | null, count: number): number {
    this.assertOpen();
    const byIndex = this.#registered() && this.#features & abi.FEAT_REG_REG_RING;
    const how = byIndex ? abi.REGISTER_USE_REGISTERED_RING : 0;
    return this.#libc.ioUringRegister(byIndex ? this.#name : this.fd, opcode | how, arg, count);
  }

  /** @throws UasyncError EEXIST if it is registered already. */
  registerFd(): void {
    this.assertOpen();
    if (this.#registered()) throw systemError(EEXIST, 'io_uring_register');
    const update = Buffer.alloc(16);
    update.writeUInt32LE(0xffffffff, RSRC_UPDATE2.offset);
    update.writeBigUInt64LE(BigInt(this.fd), RSRC_UPDATE2.data);
    const failed = this.register(abi.REGISTER_RING_FDS, update, 1);
    if (failed < 0) throw systemError(failed, 'io_uring_register');
    this.#name = update.readUInt32LE(RSRC_UPDATE2.offset);
    this.#always |= abi.ENTER_REGISTERED_RING;
  }

  /** @throws UasyncError EINVAL if it is not registered, or has no descriptor. */
  unregisterFd(): void {
    this.assertOpen();
    if (!this.#registered() || this.fd < 0) throw systemError(EINVAL, 'io_uring_register');
    const failed = this.#unregister();
    if (failed < 0) throw systemError(failed, 'io_uring_register');
    this.#name = this.fd;
    this.#always &= ~abi.ENTER_REGISTERED_RING;
  }

  #unregister(): number {
    const update = Buffer.alloc(16);
    update.writeUInt32LE(this.#name, RSRC_UPDATE2.offset);
    return this.register(abi.UNREGISTER_RING_FDS, update, 1);
  }

  /** Other code has closed the descriptor, and another ring may have it by now: this handle must not touch it. */
  lose(): void {
    if (this.closed) return;
    if (this.#registered()) this.#unregister();
    ringClosed(this.enters !== 0);
    this.#name = -1;
    this.fd = -1;
    this.#always = 0;
  }

  close(): void {
    const { fd } = this;
    this.lose();
    if (fd >= 0) this.#libc.close(fd);
  }
}
