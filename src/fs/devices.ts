/** The file systems that files are on, by device number: what may be done there at once. */
import type { Loop } from '../loop/loop.js';
import { perLoop } from '../loop/per-loop.js';
import type { FileCalls } from '../ring/file-calls.js';
import { BTRFS, EXT4, F2FS, LOCAL, OVERLAYFS, RAMFS, TMPFS, XFS } from '../ring/file-systems.js';
import { STATX } from '../ring/structs.js';
import { Breaker } from './breaker.js';

/** Those that take a change into memory, and write it to the disk later. ZFS and bcachefs hold writers up by rules of their own. */
const DEFERRING = new Set([EXT4, XFS, BTRFS, TMPFS, RAMFS, OVERLAYFS, F2FS]);
/** Those that buffered writes with RWF_NOWAIT are for: Linux 6.0. */
const NOWAIT = new Set([XFS, BTRFS]);
/** Those that have no dirty pages. */
const MEMORY = new Set([TMPFS, RAMFS]);

const MOUNT = STATX.stx_mnt_id / 4;

const DEVICES_MAX = 64;
/**
 * After this many questions the kernel is asked again about a device number, which may be another file system's by then.
 * It is also asked again when the mount has changed; but before Linux 6.8 the ids of mounts are reused too.
 */
const QUESTIONS_MAX = 4096;

/** What a file system is, and how quick it has been. */
export class Device {
  /** Whether it can be asked without waiting for a server. */
  local = false;
  /** Whether writes and changes of names hardly ever wait. */
  defers = false;
  /** Whether buffered writes can be refused where they would wait. */
  nowait = false;
  /** Whether its files are in memory only. */
  inMemory = false;
  /** Whether opening a file to write may copy all of it. */
  copiesUp = false;
  readonly breaker = new Breaker();
  #questions = 0;
  /** Words of the id of the mount that was asked last. */
  #mount = 0;
  #mountHigh = 0;

  /** @param fd what `calls.statx` is of. */
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

  /** The device of an open file, whose attributes are in `calls.statx` then; null if a server may have to be asked. */
  local(fd: number): Device | null {
    if (this.#calls.statFd(fd) !== 0) return null;
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

/** The devices that a loop has met. */
export const devicesOf = perLoop(loop => new Devices(loop));
