import { ReadableStream, WritableStream } from 'node:stream/web';
import type { Connection } from './connection.js';

/** A connection as two web streams. When both have come to their end it is closed. */
export class WebStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array | string>;
  readonly #connection: Connection;
  #open = 2;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.readable = new ReadableStream({
      type: 'bytes',
      pull: async controller => {
        const chunk = await connection.read();
        if (chunk === null) {
          controller.close();
          // A request that is pending for bytes of the caller's own is answered so.
          controller.byobRequest?.respond(0);
          await this.#ended();
        } else {
          // The stream takes the memory away from its owner, and a chunk shares its memory with others.
          controller.enqueue(new Uint8Array(chunk));
        }
      },
      cancel: () => this.#ended(),
    });
    this.writable = new WritableStream({
      write: data => connection.write(data),
      close: async () => {
        await connection.shutdown();
        await this.#ended();
      },
      abort: () => connection.reset(),
    });
  }

  async #ended(): Promise<void> {
    this.#open--;
    if (this.#open === 0) await this.#connection.close();
  }
}
