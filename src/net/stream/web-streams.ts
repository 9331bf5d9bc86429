import type { ReadableStream, WritableStream } from 'node:stream/web';
import { inOwnMemory } from '../../loop/memory/buffer-memory.js';
import type { ByteStream } from './byte-stream.js';

/** A connection as two web streams. It is closed when both have ended. */
export class WebStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array | string>;
  readonly #connection: ByteStream;
  #open = 2;

  constructor(connection: ByteStream) {
    this.#connection = connection;
    const cancelled = new AbortController();
    const web = process.getBuiltinModule('node:stream/web');
    this.readable = new web.ReadableStream({
      type: 'bytes',
      pull: async controller => {
        const chunk = await this.#settle(connection.read({ signal: cancelled.signal }));
        if (chunk === null) {
          controller.close();
          // This ends a pending request into the caller's own memory.
          controller.byobRequest?.respond(0);
          await this.#ended();
        } else {
          // The stream takes ownership of the memory, which small chunks share.
          controller.enqueue(inOwnMemory(chunk));
        }
      },
      cancel: async () => {
        cancelled.abort();
        await this.#ended();
      },
    });
    this.writable = new web.WritableStream({
      // `abort` is only called after the write in flight, which may wait for ever.
      start: controller => {
        const { signal } = controller as unknown as { signal: AbortSignal };
        signal.addEventListener('abort', () => connection.reset().catch(() => {}));
      },
      write: data => this.#settle(connection.write(data)),
      close: async () => {
        await this.#settle(connection.shutdown());
        await this.#ended();
      },
      abort: () => connection.reset(),
    });
  }

  /** A failure of one side ends it. */
  async #settle<T>(promise: Promise<T>): Promise<T> {
    try {
      return await promise;
    } catch (error) {
      if ((error as { code?: string }).code !== 'ABORT_ERR') await this.#ended();
      throw error;
    }
  }

  async #ended(): Promise<void> {
    this.#open--;
    if (this.#open === 0) await this.#connection.close();
  }
}
