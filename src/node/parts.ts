/** What `writev` of a native stream takes: chunks of bytes, or chunks that alternate with their encodings. */

/** UTF-8 takes at most three bytes for each UTF-16 unit. */
export const UTF8_MAX = 3;

/** Bytes, or text. */
export type Part = Uint8Array | string;

/** How many bytes chunks have. */
export function lengthOf(chunks: Uint8Array[]): number {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  return length;
}

/** The most bytes that chunks can have, which alternate with their encodings. */
export function mostOf(chunks: Part[]): number {
  let length = 0;
  for (let i = 0; i < chunks.length; i += 2) {
    const chunk = chunks[i]!;
    length += typeof chunk === 'string' ? chunk.length * UTF8_MAX : chunk.length;
  }
  return length;
}

/** Chunks in one piece. */
export function joined(chunks: Part[], allBuffers: boolean): Uint8Array {
  if (allBuffers) return Buffer.concat(chunks as Uint8Array[]);
  const parts: Uint8Array[] = [];
  for (let i = 0; i < chunks.length; i += 2) {
    const chunk = chunks[i]!;
    parts.push(typeof chunk === 'string' ? Buffer.from(chunk, encodingOf(chunks[i + 1] as string)) : chunk);
  }
  return Buffer.concat(parts);
}

/** The encoding that goes with text; for bytes any. */
export function encodingOf(name: string): BufferEncoding {
  return name === 'buffer' ? 'utf8' : (name as BufferEncoding);
}
