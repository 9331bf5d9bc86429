import { systemError } from '../../sys/errors/errors.js';
import type { Endpoint } from './endpoint.js';

/**
 * Sends text, bytes and text at once and in the same packets, without a copy of the bytes, if nothing else is being sent.
 * The bytes must not change until they are sent: what the socket does not take waits. Returns whether it did this.
 */
export function sendJoined(
  { loop, sender, fd }: Endpoint,
  before: string,
  bytes: Uint8Array,
  after: string,
): boolean {
  if (!sender.idle || sender.deferred || !loop.inline.take(bytes.length, 3)) return false;
  const parts = [Buffer.from(before), bytes, Buffer.from(after)].filter(({ length }) => length !== 0);
  let sent = loop.socketCalls.sendParts(fd, parts);
  if (sent < 0) {
    // The socket reports it only once: the next write fails with it.
    sender.error ??= systemError(sent, 'write');
    return true;
  }
  sender.bytesWritten += sent;
  for (const part of parts) {
    if (sent < part.length) sender.post(part.subarray(sent));
    sent = Math.max(sent - part.length, 0);
  }
  return true;
}
