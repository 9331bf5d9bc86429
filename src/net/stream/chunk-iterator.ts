/** `for await` over a connection. */
import type { ChunkIteration } from './reader.js';
import type { Receiver } from './receiver.js';

const lastStep = (): IteratorResult<Buffer, undefined> => ({ value: undefined, done: true });

/** `for await` over a connection, without a generator's extra promises. */
export class ChunkIterator implements AsyncIterator<Buffer, undefined>, ChunkIteration {
  readonly #connection: { close(): Promise<void> };
  readonly #receiver: Receiver;
  #done = false;

  constructor(connection: { close(): Promise<void> }, receiver: Receiver) {
    this.#connection = connection;
    this.#receiver = receiver;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#done) return Promise.resolve(lastStep());
    const reader = this.#receiver.newReader().step(this);
    return this.#receiver.start(reader, undefined) as Promise<IteratorResult<Buffer, undefined>>;
  }

  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#done = true;
    return this.#connection.close().then(lastStep);
  }
}
