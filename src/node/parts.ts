/** The argument of a native stream's `writev`: chunks of bytes, or chunks that alternate with their encodings. */

/** A UTF-16 unit takes at most three bytes in UTF-8. */
export const UTF8_MAX = 3;

/** Bytes, or text. */
export type Part = Uint8Array | string;

/** A write of several that `net.Socket` makes at once. */
export interface Entry {
  chunk: Part;
  encoding: string;
}

/** The size of chunks in bytes. */
export function lengthOf(chunks: Uint8Array[]): number {
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

/** Chunks, concatenated. */
export function joined(chunks: Part[], allBuffers: boolean): Uint8Array {
  if (allBuffers) return concat(chunks as Uint8Array[]);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < chunks.length; i += 2) {
    const chunk = chunks[i]!;
    parts.push(typeof chunk === 'string' ? Buffer.from(chunk, encodingOf(chunks[i + 1] as string)) : chunk);
  }
  return concat(parts);
}

/** Without those that were transferred away, which have no bytes. */
function concat(parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts.filter(({ length }) => length !== 0));
}

/** The encoding of text; bytes need none. */
export function encodingOf(name: string): BufferEncoding {
  return name === 'buffer' ? 'utf8' : (name as BufferEncoding);
}
