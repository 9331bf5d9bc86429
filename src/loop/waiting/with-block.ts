import type { Loop } from '../loop.js';
import type { Block } from '../memory/blocks.js';
import { unlessGivenUp } from './waiter.js';

/**
 * Lends a block until `use` has settled: of `size` bytes if there is one, else of at least `least`.
 */
export async function withBlock<T>(
  loop: Loop,
  size: number,
  least: number,
  use: (block: Block) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    const block = loop.blocks.acquire(size, least);
    if (block !== null) {
      try {
        return await use(block);
      } finally {
        loop.blocks.release(block);
      }
    }
    await unlessGivenUp(loop.blocks.released(), 'write', { signal });
  }
}
