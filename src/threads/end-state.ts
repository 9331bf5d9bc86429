/** Where its loop can be notified, -1 if it cannot, and the key by which it expects to be woken. */
const MAILBOX = 0;
const KEY = 1;
/** What it sleeps for, WANTS_ bits. */
const ASLEEP = 2;
/** The room that it waits for, in bytes. */
const NEEDED = 3;
/** 0 as made, then OPEN, then CLOSED. */
const STATE = 4;

const OPEN = 1;
const CLOSED = 2;

/** Each end has a cache line of words. */
const WORDS = 16;

/** What an end may sleep for. */
export const WANTS_MESSAGE = 1;
export const WANTS_ROOM = 2;

/** What the two ends of a channel know of each other, in shared memory: one of these for each end. */
export class EndState {
  /** In bytes. */
  static readonly size = WORDS * 4;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#words = new Int32Array(memory, offset, WORDS);
  }

  /** This end is used from now on, by the loop with this mailbox; false if it was opened before. */
  open(mailbox: number, key: number): boolean {
    if (Atomics.compareExchange(this.#words, STATE, 0, OPEN) !== 0) return false;
    this.#words[MAILBOX] = mailbox;
    this.#words[KEY] = key;
    return true;
  }

  close(): void {
    Atomics.store(this.#words, STATE, CLOSED);
    this.wants = 0;
  }

  get closed(): boolean {
    return Atomics.load(this.#words, STATE) === CLOSED;
  }

  get mailbox(): number {
    return this.#words[MAILBOX]!;
  }

  get key(): number {
    return this.#words[KEY]!;
  }

  /** What it sleeps for: the thread that brings that about wakes it. 0 while it is awake. */
  get wants(): number {
    return Atomics.load(this.#words, ASLEEP);
  }

  set wants(wants: number) {
    Atomics.store(this.#words, ASLEEP, wants);
  }

  /** Whether it slept; then the caller alone has to wake it. */
  rouse(): boolean {
    return Atomics.exchange(this.#words, ASLEEP, 0) !== 0;
  }

  /** The room that it waits for, in bytes. */
  get needed(): number {
    return Atomics.load(this.#words, NEEDED);
  }

  set needed(bytes: number) {
    Atomics.store(this.#words, NEEDED, bytes);
  }
}
