import type { Ring } from '../../ring/ring.js';
import { mayRegister } from '../../ring/setup/locked-memory.js';
import type { Mapping } from '../../sys/memory/mapping.js';
import type { BufferTable } from './fixed-blocks.js';

/** Slots in the ring's table of registered buffers, 2 MiB of them. `mayRegister` limits them further. */
const PLACES = 8;
/** The ring's table of registered buffers, created on first use. */
export class RegisteredBuffers implements BufferTable {
  readonly #ring: Ring;
  #used = -1;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /**
   * The index of this memory in the table. -1 if it is full, if the user may lock little more memory, or on a kernel
   * without such tables (before 5.19).
   */
  add(memory: Mapping): number {
    if (this.#used === PLACES || !mayRegister(memory.length)) return -1;
    try {
      if (this.#used < 0) {
        this.#ring.registerBuffersSparse(PLACES);
        this.#used = 0;
      }
      this.#ring.updateBuffers(this.#used, [new Uint8Array(memory.buffer)]);
      return this.#used++;
    } catch {
      return -1;
    }
  }
}
