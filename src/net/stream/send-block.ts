import type { Block } from '../../loop/memory/blocks.js';
import { EAGAIN, EINTR } from '../../sys/abi/errno.js';
import { systemError } from '../../sys/errors/errors.js';
import type { Endpoint } from './endpoint.js';

/**
 * Sends the first bytes of a block that is filled, from there: what the socket takes at once by a call, the rest by the
 * ring. The block is the sender's from now on. For a sender that is idle and has not failed.
 */
export function sendBlock({ loop, sender, fd }: Endpoint, block: Block, length: number): void {
  const res = loop.inline.take(length) ? loop.socketCalls.sendAt(fd, block.address, length) : 0;
  if (res < 0 && res !== EAGAIN && res !== EINTR) {
    // The socket reports it only once: the next write fails with it.
    sender.error ??= systemError(res, 'write');
    loop.blocks.release(block);
    return;
  }
  const sent = Math.max(res, 0);
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
