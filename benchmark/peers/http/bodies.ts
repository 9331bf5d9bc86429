/** Large bodies of the servers in the scenarios of files and streams: BLOCK over and over. */
import { pattern } from '../../pattern.js';

export const BLOCK: Uint8Array = pattern(65536);
/** The size of uploads and downloads in bytes. */
export const LARGE = 160 * BLOCK.length;
/** The size of a small file. */
export const SMALL = 30_000;

/** A stream of LARGE bytes. */
function download(): ReadableStream<Uint8Array> {
  let left = LARGE;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(BLOCK);
      left -= BLOCK.length;
      if (left === 0) controller.close();
    },
  });
}

/** For servers with web-standard APIs: answers a GET with a stream, a POST with the size of its body. */
export async function answer(
  request: Request,
  Class: new (body: ReadableStream | string) => Response,
): Promise<Response> {
  if (request.method !== 'POST') return new Class(download());
  let size = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) size += chunk.length;
  return new Class(String(size));
}
