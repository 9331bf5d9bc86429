/** Node tests `handle instanceof TCP` to distinguish handles. Handles on the loop must pass these tests too. */
import { bindings } from '../natives.js';
import { PipeHandle } from '../stream/pipe-handle.js';
import { TcpHandle } from '../stream/tcp-handle.js';

const inherited = Function.prototype[Symbol.hasInstance];

/** Makes handles of a class count as native ones of another. */
export function countAs(native: object, ours: abstract new (...args: never[]) => object): void {
  Object.defineProperty(native, Symbol.hasInstance, {
    configurable: true,
    value(this: unknown, value: unknown): boolean {
      return (
        inherited.call(this as (...args: unknown[]) => unknown, value) ||
        (this === native && value instanceof ours)
      );
    },
  });
}

let counted = false;

/** Does so for streams. */
export function countAsNative(): void {
  if (counted) return;
  counted = true;
  countAs(bindings().TCP, TcpHandle);
  countAs(bindings().Pipe, PipeHandle);
}
