/** The MessagePort of a channel, for values that are cloned or transferred. */
import type { MessagePort } from 'node:worker_threads';
import { queueMicrotask } from '../loop/real-timers.js';
import { closedError, UasyncError } from '../sys/errors/errors.js';

/** What can be transferred to another thread. Its name in @types/node changes. */
export type TransferList = NonNullable<Parameters<MessagePort['postMessage']>[1]>;

/** What the port has delivered: a value, or the error of rebuilding it here. */
type Delivered = { message: unknown } | { cause: Error };

/**
 * The same port as a new object; null if its other end is closed. A port reports that only once, perhaps before anyone
 * listened; but a closed port cannot be transferred.
 */
function moved(port: MessagePort): MessagePort | null {
  try {
    return structuredClone(port, { transfer: [port as unknown as ArrayBuffer] });
  } catch {
    return null;
  }
}

/** Wakes the other end. Values are posted in arrays of one. */
const WAKE = null;

/**
 * The values of a channel that are cloned or transferred. The queue, which holds placeholders, defines their order. The
 * port also wakes the other end if a completion cannot be posted to its loop.
 */
export class ChannelPort {
  readonly #receive = process.getBuiltinModule('node:worker_threads').receiveMessageOnPort;
  readonly #port: MessagePort;
  #closed = false;
  /** Values that were delivered before they were requested. */
  readonly #delivered: Delivered[] = [];

  /**
   * @param onDelivered called when a value has arrived.
   * @param onWake called when the other end wakes this one.
   * @param onClosed called when the other end is closed, or its thread has ended; also by `close()`.
   */
  constructor(port: MessagePort, onDelivered: () => void, onWake: () => void, onClosed: () => void) {
    const here = moved(port);
    if (here === null) queueMicrotask(onClosed);
    this.#port = here ?? port;
    const deliver = (delivered: Delivered): void => {
      this.#delivered.push(delivered);
      onDelivered();
    };
    this.#port.on('message', (message: [unknown] | null) => {
      if (message === WAKE) onWake();
      else deliver({ message: message[0] });
    });
    this.#port.on('messageerror', cause => deliver({ cause }));
    this.#port.once('close', onClosed);
    this.#port.unref();
  }

  /**
   * Sends a value, before its placeholder is put into the queue.
   * @throws UasyncError ERR_CLOSED if a getter of the value has closed the channel.
   */
  post(value: unknown, transfer: TransferList | undefined): void {
    this.#port.postMessage([value], transfer);
    if (this.#closed) throw closedError('The channel');
  }

  wake(): void {
    this.#port.postMessage(WAKE);
  }

  /**
   * The next value. It was posted before its placeholder, so it has arrived.
   * @throws UasyncError ERR_MESSAGE if it could not be rebuilt in this thread.
   */
  take(): unknown {
    const delivered = this.#delivered.shift() ?? this.#fetch();
    if (delivered !== undefined && 'cause' in delivered) {
      const { cause } = delivered;
      throw new UasyncError('ERR_MESSAGE', `A value could not be rebuilt: ${cause.message}`, { cause });
    }
    return delivered?.message;
  }

  #fetch(): Delivered | undefined {
    try {
      for (;;) {
        const received = this.#receive(this.#port) as { message: [unknown] | null } | undefined;
        if (received === undefined) return undefined;
        if (received.message !== WAKE) return { message: received.message[0] };
      }
    } catch (cause) {
      return { cause: cause as Error };
    }
  }

  close(): void {
    this.#closed = true;
    this.#port.close();
  }
}
