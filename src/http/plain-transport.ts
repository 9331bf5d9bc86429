import type { Connection } from '../net/stream/connection.js';
import type { Sink } from '../net/stream/reader.js';
import { ReceiveBuffers } from '../net/stream/receive-buffers.js';
import type { ReceiveQueue } from '../net/stream/receive-queue.js';
import type { SocketAddress } from '../ring/sockaddr.js';
import { INPUT_SIZE, input } from './llhttp.js';
import type { OpenFile } from './static/open-file.js';
import type { Data, Transport, TransportOwner } from './transport.js';
import type { Upgraded } from './upgrade.js';

/** Bytes of those that wait that are parsed at a time. */
const PIECE = 64 * 1024;

const NOTHING = (): void => {};

/** HTTP over a socket: what the kernel has received goes to the parser's memory without a chunk in between. */
export class PlainTransport implements Transport, Sink {
  readonly connection: Connection;
  readonly secure = false;
  readonly #owner: TransportOwner;
  readonly #buffers: ReceiveBuffers;
  /** Set once the connection is another's. */
  satisfied = false;
  #onReleased: (failure?: Error) => void = NOTHING;
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
    if (length > INPUT_SIZE || !this.#owner.takes) {
      this.#owner.watch();
      return false;
    }
    this.#buffers.takeInto(input(), 0, length, flags);
    this.#owner.parse(length);
    return true;
  }

  drain(queue: ReceiveQueue): void {
    while (queue.length !== 0 && this.#owner.takes) {
      const length = queue.moveTo(input().subarray(0, Math.min(queue.length, PIECE)), 0);
      this.#owner.parse(length);
    }
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
    const { remains } = this.connection;
    return remains.bytesRead + remains.bytesWritten;
  }

  post(data: Data): void {
    const { sender } = this.connection.remains;
    if (sender.ended) return;
    sender.post(data);
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
    if (!this.connection.closed) this.connection.remains.receiver.resume();
  }

  async release(head: Buffer): Promise<Upgraded> {
    const released = new Promise<void>((resolve, reject) => {
      this.#onReleased = failure => (failure === undefined ? resolve() : reject(failure));
    });
    this.satisfied = true;
    this.resume();
    const { connection } = this;
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
