/** Node asks `handle instanceof TCP` to tell kinds of handles: those on the loop are of these kinds too. */
import { bindings } from './natives.js';
import { PipeHandle } from './pipe-handle.js';
import { TcpHandle } from './tcp-handle.js';

const inherited = Function.prototype[Symbol.hasInstance];

function count(native: object, ours: abstract new (...args: never[]) => object): void {
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

/** Makes it so. */
export function countAsNative(): void {
  if (counted) return;
  counted = true;
  count(bindings().TCP, TcpHandle);
  count(bindings().Pipe, PipeHandle);
}
