import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation.js';

/** What several linked operations belong to. */
export interface Chain {
  /** The operation `index` has completed. It must not throw. */
  stepDone(index: number, res: number): void;
}

/** One operation of a chain. */
export class Step extends Operation {
  readonly #chain: Chain;
  readonly #index: number;

  constructor(loop: Loop, chain: Chain, index: number) {
    super(loop);
    this.#chain = chain;
    this.#index = index;
  }

  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return 'read';
  }

  complete(res: number): void {
    this.#chain.stepDone(this.#index, res);
  }
}
