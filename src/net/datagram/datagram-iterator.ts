import type { Datagram, DatagramReceiver } from './receiver.js';

/** `for await` over a datagram socket, without a generator's extra promises. */
export class DatagramIterator implements AsyncIterator<Datagram, undefined> {
  readonly #socket: { close(): Promise<void> };
  readonly #receiver: DatagramReceiver;

  constructor(socket: { close(): Promise<void> }, receiver: DatagramReceiver) {
    this.#socket = socket;
    this.#receiver = receiver;
  }

  next(): Promise<IteratorResult<Datagram, undefined>> {
    return this.#receiver.step(this);
  }

  async return(): Promise<IteratorResult<Datagram, undefined>> {
    await this.#socket.close();
    return { value: undefined, done: true };
  }
}
