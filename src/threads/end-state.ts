/** The descriptor for notifying its loop, -1 if there is none, and the key by which it expects to be woken. */
const MAILBOX = 0;
const KEY = 1;
/** The reasons for which it sleeps, WANTS_ bits. */
const ASLEEP = 2;
/** The room that it waits for, in bytes. */
const NEEDED = 3;
/** Initially 0, then OPEN, then CLOSED. */
const STATE = 4;

const OPEN = 1;
const CLOSED = 2;

/** The words of one end: a cache line. */
const WORDS = 16;

/** The reasons for which an end may sleep. */
export const WANTS_MESSAGE = 1;
export const WANTS_ROOM = 2;

/** The shared state of an end of a channel, in shared memory: one for each end. */
export class EndState {
  /** In bytes. */
  static readonly size = WORDS * 4;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#words = new Int32Array(memory, offset, WORDS);
  }

  /** Marks this end as used by the loop with this mailbox; false if it was opened before. */
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

  /** The reasons for which it sleeps: the thread that fulfils one wakes it. 0 while it is awake. */
  get wants(): number {
    return Atomics.load(this.#words, ASLEEP);
  }

  set wants(wants: number) {
    Atomics.store(this.#words, ASLEEP, wants);
  }

  /** Returns whether it slept; then only the caller has to wake it. */
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
