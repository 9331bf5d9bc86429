/** The argument of a native stream's `writev`: chunks of bytes, or chunks that alternate with their encodings. */

import { UTF8_MAX } from '../sys/calls/socket-calls.js';

/** Bytes, or text. */
export type Part = Uint8Array | string;

/** A write of several that `net.Socket` makes at once. */
export interface Entry {
  chunk: Part;
  encoding: string;
}

/** The size of chunks in bytes. */
export function lengthOf(chunks: readonly Uint8Array[]): number {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  return length;
}

/** The maximum size in bytes of chunks that alternate with their encodings. */
export function mostOf(chunks: Part[]): number {
  let length = 0;
  for (let i = 0; i < chunks.length; i += 2) {
    length += mostOfPart(chunks[i]!);
  }
  return length;
}

/** The most bytes that writes can have together. */
export function mostOfEntries(entries: readonly Entry[]): number {
  let length = 0;
  for (let i = 0; i < entries.length; i++) length += mostOfPart(entries[i]!.chunk);
  return length;
}

/** The most bytes that a write can have; Infinity if it is text in another encoding than UTF-8 and Latin-1. */
export function mostOfWrite(data: Part, encoding: string): number {
  if (typeof data !== 'string') return data.length;
  if (encoding === 'utf8' || encoding === 'utf-8') return data.length * UTF8_MAX;
  return encoding === 'latin1' || encoding === 'binary' ? data.length : Infinity;
}

function mostOfPart(part: Part): number {
  return typeof part === 'string' ? part.length * UTF8_MAX : part.length;
}

/** Puts a part at `at`, where there is room for it; how many bytes it has. */
export function putPart(room: Buffer, at: number, part: Part, encoding: string): number {
  if (typeof part === 'string') return room.write(part, at, encodingOf(encoding));
  // One that was transferred away has none, as in Node, and could not be copied.
  if (part.length !== 0) room.set(part, at);
  return part.length;
}

/**
 * The bytes of chunks, as few parts: those below `least` bytes are joined with their neighbours. Without chunks that were
 * transferred away, which have no bytes.
 */
export function bytesOf(chunks: Part[], allBuffers: boolean, least: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const join = (): void => {
    if (small.length !== 0) parts.push(Buffer.concat(small));
    small = [];
  };
  for (let i = 0; i < chunks.length; i += allBuffers ? 1 : 2) {
    const chunk = chunks[i]!;
    const isText = typeof chunk === 'string';
    const bytes = isText ? Buffer.from(chunk, encodingOf(chunks[i + 1] as string)) : chunk;
    if (bytes.length === 0) continue;
    if (bytes.length < least) small.push(bytes);
    else {
      join();
      parts.push(bytes);
    }
  }
  join();
  return parts;
}

/** The bytes after the first `count`, concatenated. */
export function restOf(parts: readonly Uint8Array[], count: number): Uint8Array {
  let first = 0;
  while (count > 0 && count >= parts[first]!.length) count -= parts[first++]!.length;
  const rest = parts.slice(first);
  if (count > 0) rest[0] = rest[0]!.subarray(count);
  return rest.length === 1 ? rest[0]! : Buffer.concat(rest);
}

/** The encoding of text; bytes need none. */
function encodingOf(name: string): BufferEncoding {
  return name === 'buffer' ? 'utf8' : (name as BufferEncoding);
}
