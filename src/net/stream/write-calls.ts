import { closedError } from '../../sys/errors/errors.js';
import type { Sender } from './sender.js';
import { toPart, toParts, type WriteData } from './write-data.js';

/** Writes data of any kind; resolves when the kernel has taken it. */
export async function writeParts(sender: Sender, data: WriteData): Promise<void> {
  if (sender.ended) throw closedError('The connection');
  // Checks all of them before the first is sent.
  const parts = Array.isArray(data) ? toParts(data) : [toPart(data)];
  await Promise.all(parts.map(part => sender.write(part)));
}

/** Writes data of any kind without waiting: the next call reports a failure. */
export function sendParts(sender: Sender, data: WriteData): void {
  if (sender.ended) throw closedError('The connection');
  const parts = Array.isArray(data) ? toParts(data) : [toPart(data)];
  for (const part of parts) sender.post(part);
}
