import { allocateBuffer } from '../../loop/memory/buffer-memory.js';
import { type Deferred, promiseOf } from '../../loop/operation/deferred.js';

/** While this many bytes wait no more are received. */
const HIGH_WATER = 256 * 1024;

/** The source of a body. */
export interface BodySource {
  /** The body is wanted: a peer that waits for `100 Continue` gets it. */
  onWanted(): void;
  /** There is room for more. */
  onRoom(): void;
}

/** Pieces up to this size are copied into a block: a Buffer each would cost far more than its bytes. */
const SMALL_MAX = 2048;
const BLOCK_SIZE = 16 * 1024;

const NO_BYTES: Buffer = Buffer.alloc(0);

/** The body of a request as it arrives. */
export class IncomingBody {
  readonly #source: BodySource;
  readonly #chunks: Buffer[] = [];
  /** Small pieces after the chunks, as one. */
  #block: Buffer | null = null;
  #blockUsed = 0;
  #size = 0;
  #wanted = false;
  /** Whether all of it is kept until its end. */
  #collecting = false;
  #complete = false;
  #error: Error | null = null;
  #waiting: Deferred<unknown> | null = null;
  /** It is no longer needed: further data is dropped. */
  #dropped = false;

  constructor(source: BodySource) {
    this.#source = source;
  }

  /** Whether all of it has arrived. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Whether it has been requested. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** Whether a reader waits for more of it. */
  get awaited(): boolean {
    return this.#waiting !== null;
  }

  get error(): Error | null {
    return this.#error;
  }

  /** Whether there is room for more. */
  get hasRoom(): boolean {
    return this.#collecting || this.#dropped || this.#size < HIGH_WATER;
  }

  // --- Arrival ------------------------------------------------------------------------------------

  push(chunk: Buffer): void {
    if (this.#dropped || this.#error !== null) return;
    this.#size += chunk.length;
    const isFirst = this.#chunks.length === 0 && this.#blockUsed === 0;
    if (isFirst || chunk.length > SMALL_MAX) {
      this.#closeBlock();
      this.#chunks.push(chunk);
    } else this.#append(chunk);
    if (!this.#collecting) this.#settle();
  }

  #append(piece: Buffer): void {
    if (this.#blockUsed + piece.length > BLOCK_SIZE) this.#closeBlock();
    this.#block ??= allocateBuffer(BLOCK_SIZE);
    piece.copy(this.#block, this.#blockUsed);
    this.#blockUsed += piece.length;
  }

  /** The contents of the block become a chunk. */
  #closeBlock(): void {
    if (this.#blockUsed === 0) return;
    const bytes = this.#block!.subarray(0, this.#blockUsed);
    // A nearly empty one is reused.
    if (this.#blockUsed < BLOCK_SIZE / 2) this.#chunks.push(Buffer.from(bytes));
    else {
      this.#chunks.push(bytes);
      this.#block = null;
    }
    this.#blockUsed = 0;
  }

  end(): void {
    if (this.#error !== null) return;
    this.#complete = true;
    this.#settle();
  }

  /** No more of it will come. */
  fail(error: Error): void {
    if (this.#complete || this.#error !== null) return;
    this.#error = error;
    this.#settle();
  }

  /** Drops received and future data. */
  drop(): void {
    this.#dropped = true;
    this.#clear();
    this.#settle();
    this.#source.onRoom();
  }

  #clear(): void {
    this.#chunks.length = 0;
    this.#block = null;
    this.#blockUsed = 0;
    this.#size = 0;
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    waiting.resolve(undefined);
  }

  // --- Reading ------------------------------------------------------------------------------------

  #want(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    if (!this.#complete) this.#source.onWanted();
  }

  #more(): Promise<unknown> {
    const waiting = {} as Deferred<unknown>;
    const promise = promiseOf(waiting);
    this.#waiting = waiting;
    return promise;
  }

  /** The next piece; null at the end. */
  async read(): Promise<Buffer | null> {
    this.#want();
    while (this.#chunks.length === 0 && this.#blockUsed === 0) {
      if (this.#error !== null) throw this.#error;
      if (this.#complete || this.#dropped) return null;
      await this.#more();
    }
    if (this.#chunks.length === 0) this.#closeBlock();
    const chunk = this.#chunks.shift()!;
    const hadRoom = this.hasRoom;
    this.#size -= chunk.length;
    if (!hadRoom && this.hasRoom) this.#source.onRoom();
    return chunk;
  }

  /** All of it if it has arrived already, else null. */
  takeNow(): Buffer | null {
    if (!this.#complete || this.#dropped) return null;
    this.#want();
    this.#closeBlock();
    const all = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#clear();
    return all;
  }

  /** Reads all of it. */
  async collect(): Promise<Buffer> {
    this.#collecting = true;
    this.#want();
    this.#source.onRoom();
    while (!this.#complete) {
      if (this.#error !== null) throw this.#error;
      if (this.#dropped) return NO_BYTES;
      await this.#more();
    }
    return this.takeNow() ?? NO_BYTES;
  }
}
