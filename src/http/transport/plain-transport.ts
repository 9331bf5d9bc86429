import { allocatePooled } from '../../loop/memory/buffer-memory.js';
import type { Connection } from '../../net/stream/connection.js';
import { ReceiveBuffers } from '../../net/stream/receive-buffers.js';
import type { ReceiveQueue } from '../../net/stream/receive-queue.js';
import { sendBlock } from '../../net/stream/send-block.js';
import { sendWithHead } from '../../net/stream/send-cached.js';
import { sendJoined } from '../../net/stream/send-joined.js';
import type { Sink } from '../../net/stream/sink.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { INPUT_SIZE, input } from '../input/llhttp.js';
import type { OpenFile } from './open-file.js';
import { COPIED_MAX, type Data, type Transport, type TransportOwner } from './transport.js';
import type { Upgraded } from './upgrade.js';

/** From this size on, calls of their own for the texts around bytes cost less than a copy of the bytes. */
const IN_PLACE_MIN = 32 * 1024;
/** While this much of a body is to come, it is received into memory of its own, in chunks of up to CHUNK_MAX. */
const CHUNK_MIN = 128 * 1024;
const CHUNK_MAX = 256 * 1024;
/** How many waiting bytes are parsed at a time. */
const PIECE = 64 * 1024;

const NOTHING = (): void => {};

/** HTTP over a socket: received data goes to the parser's memory without a chunk in between. */
export class PlainTransport implements Transport, Sink {
  readonly connection: Connection;
  readonly secure = false;
  readonly #owner: TransportOwner;
  readonly #buffers: ReceiveBuffers;
  /** Set once the connection has a new owner. */
  satisfied = false;
  #onReleased: (failure?: Error) => void = NOTHING;
  /** Whether bytes wait that the owner would not take. */
  #waiting = false;
  /** Bytes of a file that is being sent. */
  #fileBytes = 0;

  constructor(connection: Connection, owner: TransportOwner) {
    this.connection = connection;
    this.#owner = owner;
    this.#buffers = ReceiveBuffers.of(connection.remains.loop);
  }

  /** Begins to receive. */
  start(): void {
    const { receiver } = this.connection.remains;
    const reader = receiver.newReader().forward(this);
    reader.user = this.connection;
    receiver.start(reader, undefined).then(
      () => {
        if (this.satisfied) this.#onReleased();
        else this.#owner.onEnd();
      },
      (error: Error) => {
        if (this.satisfied) this.#onReleased(error);
        else this.#owner.onFailure(error);
      },
    );
  }

  // --- As a sink ----------------------------------------------------------------------------------

  take(length: number, flags: number): boolean {
    const owner = this.#owner;
    if (length > INPUT_SIZE || !owner.takes) return this.#wait();
    if (length <= owner.plain) {
      const bytes = allocatePooled(length);
      this.#buffers.takeInto(bytes, 0, length, flags);
      owner.takeBody(bytes);
    } else {
      this.#buffers.takeInto(input(), 0, length, flags);
      owner.parse(length);
    }
    return true;
  }

  get chunkSize(): number {
    const { plain } = this.#owner;
    return plain < CHUNK_MIN ? 0 : Math.min(plain, CHUNK_MAX);
  }

  takesChunk(): boolean {
    return this.#owner.takes || this.#wait();
  }

  /** The owner takes nothing now: `resume` comes once it does. */
  #wait(): false {
    this.#waiting = true;
    this.#owner.watch();
    return false;
  }

  takeChunk(chunk: Buffer): void {
    this.#owner.takeBody(chunk);
  }

  drain(queue: ReceiveQueue): void {
    const owner = this.#owner;
    while (queue.length !== 0 && owner.takes) {
      const { plain } = owner;
      if (plain > 0) owner.takeBody(queue.takeChunk(plain));
      else owner.parse(queue.moveTo(input().subarray(0, Math.min(queue.length, PIECE)), 0));
    }
    this.#waiting = queue.length !== 0;
  }

  flush(): void {}

  // --- As a transport -----------------------------------------------------------------------------

  get remoteAddress(): SocketAddress | undefined {
    return this.connection.remoteAddress;
  }

  get bufferedAmount(): number {
    return this.connection.remains.bufferedAmount + this.#fileBytes;
  }

  get moved(): number {
    return this.connection.remains.moved;
  }

  post(data: Data): void {
    const { sender } = this.connection.remains;
    if (sender.ended || data.length === 0) return;
    sender.post(data);
  }

  postJoined(before: string, bytes: Uint8Array, after: string): void {
    const { remains } = this.connection;
    const { sender, loop } = remains;
    if (sender.ended || sender.error !== null || loop.closing) return;
    const start = Buffer.byteLength(before);
    const end = start + bytes.length;
    const size = end + after.length;
    if (bytes.length <= COPIED_MAX) {
      this.post(Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]));
      return;
    }
    if (bytes.length >= IN_PLACE_MIN && sendJoined(remains, before, bytes, after)) return;
    // No Buffer of that size is made for each: V8 collects all of its heap for what those add up to.
    const block = sender.idle ? loop.blocks.acquire(size, size) : null;
    if (block !== null && block.bytes.length >= size) {
      block.bytes.write(before);
      block.bytes.set(bytes, start);
      block.bytes.write(after, end, 'latin1');
      sendBlock(remains, block, size);
      return;
    }
    if (block !== null) loop.blocks.release(block);
    // What waits is copied into one block once there is one.
    this.post(before);
    this.post(bytes);
    this.post(after);
  }

  postFile(before: string, file: OpenFile, offset: number, length: number): boolean {
    const { remains } = this.connection;
    const { sender, loop } = remains;
    const isPlain = !remains.closed && sender.idle && !sender.ended && sender.error === null;
    // The memory of a closed loop's calls is gone.
    if (!isPlain || loop.closing || !loop.inline.take(length)) return false;
    const start = Buffer.byteLength(before);
    const size = start + length;
    const block = loop.blocks.acquire(size, size);
    if (block === null) return false;
    const room = block.bytes.length >= size;
    if (!room || loop.calls.readAt(file.fd, block.address + start, length, offset) !== length) {
      loop.blocks.release(block);
      return false;
    }
    block.bytes.write(before);
    sendBlock(remains, block, size);
    return true;
  }

  sendFileNow(before: string, file: OpenFile, offset: number, length: number): number {
    const { remains } = this.connection;
    return remains.closed ? -1 : sendWithHead(remains, before, file.fd, offset, length);
  }

  async sendFile(file: OpenFile, offset: number, length: number): Promise<number> {
    this.#fileBytes = length;
    try {
      return await this.connection.sendFile(file, { offset, length });
    } finally {
      this.#fileBytes = 0;
    }
  }

  drained(): Promise<void> {
    return this.connection.drained();
  }

  resume(): void {
    if (this.#waiting && !this.connection.closed) this.connection.remains.receiver.resume();
  }

  async release(head: Buffer): Promise<Upgraded> {
    const released = new Promise<void>((resolve, reject) => {
      this.#onReleased = failure => (failure === undefined ? resolve() : reject(failure));
    });
    this.satisfied = true;
    const { connection } = this;
    if (!connection.closed) connection.remains.receiver.resume();
    try {
      await released;
    } catch (error) {
      await connection.reset();
      throw error;
    }
    return { connection, head, toDuplex: () => connection.toDuplex() };
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  reset(): Promise<void> {
    return this.connection.reset();
  }

  ref(): void {
    this.connection.ref();
  }

  unref(): void {
    this.connection.unref();
  }
}
