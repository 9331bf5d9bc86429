/** The parts of a ring with injected faults: see faults.ts. */
import { CQE_F_BUFFER } from '../../ring/abi/io-uring.js';
import type { CqeSink } from '../../ring/queue/cqe.js';
import { EAGAIN } from '../../sys/abi/errno.js';
import { SO_TYPE, SOCK_STREAM, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { Calls } from '../calls.js';
import { Completions } from '../completions.js';
import type { Chance } from './chance.js';

/** Some files other than sockets, such as eventfds, are read in units of up to this size. */
const UNIT_MAX = 64;

/** System calls that transfer less than possible, or return EAGAIN although they could make progress. */
export class FaultyCalls extends Calls {
  /** Whether a call did so since this was set to false. */
  cut = false;
  readonly #chance: Chance;

  constructor(chance: Chance) {
    super();
    this.#chance = chance;
  }

  override receive(fd: number, address: number, length: number, flags: number): number {
    return this.#denied() ? EAGAIN : super.receive(fd, address, this.#length(fd, length), flags);
  }

  override send(
    fd: number,
    address: number,
    length: number,
    flags: number,
    name: number,
    nameLength: number,
  ): number {
    if (this.#denied()) return EAGAIN;
    return super.send(fd, address, this.#length(fd, length), flags, name, nameLength);
  }

  override receiveMessage(fd: number, header: number, flags: number): number {
    return this.#denied() ? EAGAIN : super.receiveMessage(fd, header, flags);
  }

  override sendMessage(fd: number, header: number, flags: number): number {
    return this.#denied() ? EAGAIN : super.sendMessage(fd, header, flags);
  }

  override read(fd: number, address: number, length: number, position: number, flags: number): number {
    return this.#denied() ? EAGAIN : super.read(fd, address, this.#length(fd, length), position, flags);
  }

  override write(fd: number, address: number, length: number, position: number, flags: number): number {
    return this.#denied() ? EAGAIN : super.write(fd, address, this.#length(fd, length), position, flags);
  }

  #denied(): boolean {
    const denied = this.#chance.happens();
    if (denied) this.cut = true;
    return denied;
  }

  /** How much of `length` to request: all of a datagram. */
  #length(fd: number, length: number): number {
    if (length < 2 || !this.#chance.happens()) return length;
    const isSocket = this.option(fd, SOL_SOCKET, SO_TYPE) >= 0;
    if (isSocket ? this.value !== SOCK_STREAM : length <= UNIT_MAX) return length;
    this.cut = true;
    return this.#chance.part(length);
  }
}

interface Completion {
  low: number;
  high: number;
  res: number;
  flags: number;
  /** The number of the `drain` call that delivers it. */
  turn: number;
}

/** The maximum number of `drain` calls that a completion is delayed by. */
const LATE_MAX = 4;

/**
 * Completions with random delays. Ordered completions keep their order: those of one operation, those with provided
 * buffers (which are filled in that order), and those of chains.
 */
export class LateCompletions extends Completions {
  readonly #chance: Chance;
  readonly #waiting: Completion[] = [];
  /** The lower half of user_data of completions that are not delayed. */
  readonly #prompt = new Set<number>();
  #turn = 0;

  constructor(entries: number, chance: Chance) {
    super(entries);
    this.#chance = chance;
  }

  override get ready(): number {
    return super.ready + this.#waiting.length;
  }

  /** Does not delay the next completion with this lower half of user_data. */
  keepPrompt(low: number): void {
    this.#prompt.add(low);
  }

  override drain(sink: CqeSink): number {
    const turn = ++this.#turn;
    super.drain(this);
    let count = 0;
    // The sink may drain the queue too.
    for (let i = 0; i < this.#waiting.length; ) {
      const { low, high, res, flags } = this.#waiting[i]!;
      if (this.#waiting[i]!.turn > turn || this.#isBehind(i)) i++;
      else {
        this.#waiting.splice(i, 1);
        count++;
        sink.onCqe(low, high, res, flags);
        i = 0;
      }
    }
    return count;
  }

  /** A completion that is due now. */
  onCqe(low: number, high: number, res: number, flags: number): void {
    const late = !this.#prompt.delete(low) && this.#chance.happens();
    const turn = this.#turn + (late ? this.#chance.part(LATE_MAX) : 0);
    this.#waiting.push({ low, high, res, flags, turn });
  }

  /** Whether an earlier one must be delivered first. */
  #isBehind(index: number): boolean {
    const { low, high, flags } = this.#waiting[index]!;
    for (let i = 0; i < index; i++) {
      const other = this.#waiting[i]!;
      if (other.low === low && other.high === high) return true;
      if (flags & other.flags & CQE_F_BUFFER) return true;
    }
    return false;
  }
}
