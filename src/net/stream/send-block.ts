import type { Block } from '../../loop/memory/blocks.js';
import type { Endpoint } from './endpoint.js';

/**
 * Sends the first bytes of a block that is filled, from there: what the socket takes at once by a call, the rest by the
 * ring. The block is the sender's from now on. For a sender that is idle and has not failed.
 */
export function sendBlock({ loop, sender, fd }: Endpoint, block: Block, length: number): void {
  const sent = loop.inline.take(length) ? Math.max(loop.socketCalls.sendAt(fd, block.address, length), 0) : 0;
  sender.bytesWritten += sent;
  if (sent === length) {
    loop.blocks.release(block);
    return;
  }
  if (sent !== 0) block.bytes.copyWithin(0, sent, length);
  // A failure is that of the next write.
  sender.writeBlock(block, length - sent).catch(NOTHING);
}

const NOTHING = (): void => {};
