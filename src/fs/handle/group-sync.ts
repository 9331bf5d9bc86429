import { errorFrom } from '../../sys/errors/errors.js';
import { CallEnd, endingWith } from './call-end.js';

/**
 * Syncs of a file that are requested while another one is running share one more, which starts when that has ended. It
 * covers every write that had completed when they were requested. So writers that each sync share the wait for the
 * device.
 */
export class GroupSync {
  readonly #sync: () => Promise<void>;
  #running: CallEnd | null = null;
  #next: Promise<void> | null = null;

  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Resolves when everything written before this call is on the device. */
  run(): Promise<void> {
    if (this.#running === null) return this.#start();
    if (this.#next === null) {
      this.#next = this.#running.promise.then(() => this.#start());
    }
    // Others may wait for the same sync.
    return this.#next.catch(error => {
      throw errorFrom(error);
    });
  }

  #start(): Promise<void> {
    this.#next = null;
    const ending = new CallEnd();
    this.#running = ending;
    return endingWith(this.#sync(), () => {
      if (this.#running === ending) this.#running = null;
      ending.settle();
    });
  }
}
