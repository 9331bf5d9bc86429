/** Node's HTTP parser can take a native handle over, and crashes on any other object. */
import { nodeModule } from './natives.js';
import { StreamHandle } from './stream-handle.js';

interface Parsers {
  readonly prototype: { consume(this: unknown, handle: unknown): void };
}

let guarded = false;

/** Has it refuse handles of the loop. `node:http` itself gives it native ones only. */
export function guardParser(): void {
  if (guarded) return;
  guarded = true;
  const { HTTPParser } = nodeModule<{ HTTPParser?: Parsers }>('_http_common');
  // Who does not reach it cannot misuse it.
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
