/** Node's HTTP parser can take over a native handle, and crashes on any other object. */
import { nodeModule } from '../natives.js';
import { StreamHandle } from '../stream/stream-handle.js';

interface Parsers {
  readonly prototype: { consume(this: unknown, handle: unknown): void };
}

let guarded = false;

/** Makes it refuse handles of the loop. `node:http` itself only passes native ones. */
export function guardParser(): void {
  if (guarded) return;
  guarded = true;
  const { HTTPParser } = nodeModule<{ HTTPParser?: Parsers }>('_http_common');
  // If it cannot be reached, it cannot be misused.
  if (HTTPParser === undefined) return;
  const parsers = HTTPParser.prototype;
  const { consume } = parsers;
  parsers.consume = function (handle) {
    if (handle instanceof StreamHandle) {
      throw new TypeError(
        'A parser can only consume the native handle of a socket, and this one is on a loop',
      );
    }
    consume.call(this, handle);
  };
}
