/** The plain calls of a loop with the faults of faults.ts: EAGAIN, EINTR, or partial transfers. */

import { SO_TYPE, SOCK_STREAM, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { DirectoryCalls, replaceDirectoryCalls } from '../../sys/calls/directory-calls.js';
import { FileCalls } from '../../sys/calls/file-calls.js';
import { NameCalls } from '../../sys/calls/name-calls.js';
import { SEND_MAX, SocketCalls } from '../../sys/calls/socket-calls.js';
import { libc } from '../../sys/libc/libc.js';
import { Chance } from './chance.js';

type Path = string | Uint8Array;

/** The plain calls of a loop, with faults if the environment requests them. */
export class DirectCalls {
  readonly #chance = Chance.asked(1);

  constructor() {
    replaceDirectoryCalls(this.#chance === null ? null : new FaultyDirectoryCalls(this.#chance));
  }

  files(): FileCalls {
    return this.#chance === null ? new FileCalls() : new FaultyFileCalls(this.#chance);
  }

  names(): NameCalls {
    return this.#chance === null ? new NameCalls() : new FaultyNameCalls(this.#chance);
  }

  sockets(): SocketCalls {
    return this.#chance === null ? new SocketCalls() : new FaultySocketCalls(this.#chance);
  }
}

/** How many of `length` bytes a call transfers. */
function partOf(chance: Chance, length: number): number {
  return length > 1 && chance.happens() ? chance.part(length - 1) : length;
}

const option = Buffer.alloc(4);
const optionLength = new Uint32Array(1);

/** As `partOf`, except that a datagram is sent as a whole. */
function partOfSend(chance: Chance, fd: number, length: number): number {
  optionLength[0] = option.length;
  const failed = libc().getsockopt(fd, SOL_SOCKET, SO_TYPE, option, optionLength);
  return failed === 0 && option.readInt32LE() === SOCK_STREAM ? partOf(chance, length) : length;
}

class FaultySocketCalls extends SocketCalls {
  readonly #chance: Chance;

  constructor(chance: Chance) {
    super();
    this.#chance = chance;
  }

  override sendInPlace(fd: number, bytes: Uint8Array, more?: boolean): number {
    const refusal = this.#chance.refusal();
    if (refusal < 0) return refusal;
    return super.sendInPlace(fd, bytes.subarray(0, partOfSend(this.#chance, fd, bytes.length)), more);
  }

  override sendAt(fd: number, address: number, length: number): number {
    return this.#chance.refusal() || super.sendAt(fd, address, partOfSend(this.#chance, fd, length));
  }

  override receiveAt(fd: number, address: number, length: number): number {
    return this.#chance.refusal() || super.receiveAt(fd, address, partOfSend(this.#chance, fd, length));
  }

  override sendTo(fd: number, bytes: Uint8Array, address: Uint8Array): number {
    return this.#chance.refusal() || super.sendTo(fd, bytes, address);
  }

  override sendFile(socket: number, file: number, offset: number, length: number): number {
    return this.#chance.refusal() || super.sendFile(socket, file, offset, partOf(this.#chance, length));
  }

  protected override put(fd: number, length: number, flags?: number): number {
    const refusal = this.#chance.refusal();
    const sent = refusal || super.put(fd, partOfSend(this.#chance, fd, Math.min(length, SEND_MAX)), flags);
    this.length = length;
    return sent;
  }
}

class FaultyFileCalls extends FileCalls {
  readonly #chance: Chance;

  constructor(chance: Chance) {
    super();
    this.#chance = chance;
  }

  override open(path: Path, flags: number): number {
    return this.#chance.refusal() || super.open(path, flags);
  }

  override openAgain(flags: number): number {
    return this.#chance.refusal() || super.openAgain(flags);
  }

  override openAny(path: Path, flags: number, mode: number): number {
    return this.#chance.refusal() || super.openAny(path, flags, mode);
  }

  override statFd(fd: number): number {
    return this.#chance.refusal() || super.statFd(fd);
  }

  override access(fd: number, mode: number): number {
    return this.#chance.refusal() || super.access(fd, mode);
  }

  override readLink(fd: number, path: string): number {
    return this.#chance.refusal() || super.readLink(fd, path);
  }

  override read(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    flags?: number,
    beyond = 0,
  ): number {
    const refusal = this.#chance.refusal();
    if (refusal < 0) return refusal;
    const part = partOf(this.#chance, length);
    return super.read(fd, bytes, offset, part, position, flags, part === length ? beyond : 0);
  }

  override readAt(fd: number, address: number, length: number, position: number): number {
    return this.#chance.refusal() || super.readAt(fd, address, partOf(this.#chance, length), position);
  }

  override write(
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    flags: number,
  ): number {
    const refusal = this.#chance.refusal();
    return refusal || super.write(fd, bytes, offset, partOf(this.#chance, length), position, flags);
  }

  override truncate(fd: number, length: number): number {
    return this.#chance.refusal() || super.truncate(fd, length);
  }
}

class FaultyNameCalls extends NameCalls {
  readonly #chance: Chance;

  constructor(chance: Chance) {
    super();
    this.#chance = chance;
  }

  override mkdir(path: Path, mode: number): number {
    return this.#chance.refusal() || super.mkdir(path, mode);
  }

  override unlink(path: Path): number {
    return this.#chance.refusal() || super.unlink(path);
  }

  override rmdir(path: Path): number {
    return this.#chance.refusal() || super.rmdir(path);
  }

  override rename(from: Path, to: Path, replaces: boolean): number {
    return this.#chance.refusal() || super.rename(from, to, replaces);
  }

  override link(from: Path, to: Path): number {
    return this.#chance.refusal() || super.link(from, to);
  }

  override symlink(target: Path, path: Path): number {
    return this.#chance.refusal() || super.symlink(target, path);
  }

  override chmod(path: Path, mode: number): number {
    return this.#chance.refusal() || super.chmod(path, mode);
  }
}

class FaultyDirectoryCalls extends DirectoryCalls {
  readonly #chance: Chance;

  constructor(chance: Chance) {
    super();
    this.#chance = chance;
  }

  override openPath(path: Path, follow: boolean): number {
    return this.#chance.refusal() || super.openPath(path, follow);
  }

  override openDirectory(directory: number, name: number): number {
    return this.#chance.refusal() || super.openDirectory(directory, name);
  }

  override openFile(directory: number, name: number): number {
    return this.#chance.refusal() || super.openFile(directory, name);
  }

  override locate(directory: number, name: number): number {
    return this.#chance.refusal() || super.locate(directory, name);
  }

  override createFile(directory: number, name: number, mode: number): number {
    return this.#chance.interruption() || super.createFile(directory, name, mode);
  }

  protected override getdents(fd: number, address: number): number {
    return this.#chance.interruption() || super.getdents(fd, address);
  }

  override stat(directory: number, name: number): number {
    return this.#chance.interruption() || super.stat(directory, name);
  }

  override unlink(directory: number, name: number): number {
    return this.#chance.interruption() || super.unlink(directory, name);
  }

  override rmdir(directory: number, name: number): number {
    return this.#chance.interruption() || super.rmdir(directory, name);
  }

  override mkdir(directory: number, name: number, mode: number): number {
    return this.#chance.interruption() || super.mkdir(directory, name, mode);
  }

  override symlink(text: string, directory: number, name: number): number {
    return this.#chance.interruption() || super.symlink(text, directory, name);
  }

  override read(fd: number, address: number, length: number): number {
    return this.#chance.interruption() || super.read(fd, address, partOf(this.#chance, length));
  }

  override write(fd: number, address: number, length: number): number {
    return this.#chance.interruption() || super.write(fd, address, partOf(this.#chance, length));
  }
}
