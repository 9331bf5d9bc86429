/** The file systems of files, by device number, and which plain calls are suitable there. */
import type { Loop } from '../../loop/loop.js';
import { perLoop } from '../../loop/per-loop.js';
import { EAGAIN, isInterrupted } from '../../sys/abi/errno.js';
import { STATX } from '../../sys/abi/structs.js';
import type { FileCalls } from '../../sys/calls/file-calls.js';
import { BTRFS, EXT4, F2FS, LOCAL, OVERLAYFS, RAMFS, TMPFS, XFS } from '../../sys/calls/file-systems.js';
import { Breaker } from './breaker.js';

/**
 * File systems that apply a change in memory, and write it to the disk later. ZFS and bcachefs throttle writers by
 * rules of their own.
 */
const DEFERRING = new Set([EXT4, XFS, BTRFS, TMPFS, RAMFS, OVERLAYFS, F2FS]);
/** File systems that support buffered writes with RWF_NOWAIT: Linux 6.0. */
const NOWAIT = new Set([XFS, BTRFS]);
/** File systems without dirty pages. */
const MEMORY = new Set([TMPFS, RAMFS]);

const MOUNT = STATX.stx_mnt_id / 4;

const DEVICES_MAX = 64;
/**
 * After this many uses the kernel is asked again about a device number, which may belong to another file system by
 * then. It is also asked again when the mount has changed; but before Linux 6.8 mount ids are reused too.
 */
const QUESTIONS_MAX = 4096;

/** The properties of a file system, and how fast it has been. */
export class Device {
  /** Whether lookups never wait for a server. */
  local = false;
  /** Whether writes and changes of names hardly ever wait. */
  defers = false;
  /** Whether buffered writes can be non-blocking. */
  nowait = false;
  /** Whether its files are in memory only. */
  inMemory = false;
  /** Whether opening a file for writing may copy all of it. */
  copiesUp = false;
  readonly breaker = new Breaker();
  #questions = 0;
  /** Words of the id of the last mount. */
  #mount = 0;
  #mountHigh = 0;

  /** @param fd the file whose attributes are in `calls.statx`. */
  ask(calls: FileCalls, fd: number): void {
    const type = calls.fileSystem(fd) >>> 0;
    this.#questions = 0;
    this.#mount = calls.statx[MOUNT]!;
    this.#mountHigh = calls.statx[MOUNT + 1]!;
    this.local = LOCAL.has(type);
    this.defers = DEFERRING.has(type) && !calls.synchronous;
    this.nowait = NOWAIT.has(type);
    this.inMemory = MEMORY.has(type);
    this.copiesUp = type === OVERLAYFS;
  }

  /** Whether it may be another file system by now. @param statx attributes of a file on it. */
  mustBeAsked(statx: Uint32Array): boolean {
    if (statx[MOUNT] !== this.#mount || statx[MOUNT + 1] !== this.#mountHigh) return true;
    return ++this.#questions > QUESTIONS_MAX;
  }
}

class Devices {
  readonly #calls: FileCalls;
  #known = new Map<number, Device>();

  constructor(loop: Loop) {
    this.#calls = loop.calls;
  }

  /** The device of an open file, whose attributes are then in `calls.statx`; null if lookups may wait for a server. */
  local(fd: number): Device | null {
    let failed: number;
    do failed = this.#calls.statFd(fd);
    while (failed === EAGAIN || isInterrupted(failed));
    if (failed !== 0) return null;
    const device = this.#of(fd);
    return device.local ? device : null;
  }

  #of(fd: number): Device {
    const { statx } = this.#calls;
    const number = statx[STATX.stx_dev_major / 4]! * 2 ** 32 + statx[STATX.stx_dev_minor / 4]!;
    let device = this.#known.get(number);
    if (device === undefined) {
      if (this.#known.size >= DEVICES_MAX) this.#known = new Map();
      device = new Device();
      device.ask(this.#calls, fd);
      this.#known.set(number, device);
    } else if (device.mustBeAsked(statx)) {
      device.ask(this.#calls, fd);
    }
    return device;
  }
}

/** The known devices of a loop. */
export const devicesOf = perLoop(loop => new Devices(loop));
