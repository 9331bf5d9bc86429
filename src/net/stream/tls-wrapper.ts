/**
 * node:tls and node:http2 put a stream that is no net.Socket into a wrapper of Node's own (JSStreamSocket),
 * whose handle knows no addresses and no options: `remoteAddress` of the TLS socket would be undefined. The
 * wrapper is not public, but it says which stream it is for by setting a property, and can be met there.
 */
import { Duplex } from 'node:stream';

/** The wrapper's handle: what it has of these a TLS socket calls. A result of 0 is success. */
export interface WrapperHandle {
  getpeername?(out: object): number;
  getsockname?(out: object): number;
  setNoDelay?(enable: boolean): number;
  /** `delay` is in seconds. */
  setKeepAlive?(enable: boolean, delay: number): number;
  ref?(): void;
  unref?(): void;
}

interface Wrapper {
  readonly _handle: WrapperHandle;
}

/** A stream's method that is called with the handle of the wrapper that the stream was put into. */
export const onWrapped = Symbol('onWrapped');

let meeting = false;

/** From now on wrappers are met. Called for the first time from within the making of one: it pauses the stream. */
export function meetWrappers(): void {
  if (meeting) return;
  meeting = true;
  try {
    const tls = process.getBuiltinModule('node:tls');
    const probe = new tls.TLSSocket(new Duplex({ read() {} }), { isServer: true });
    const { _handle } = probe as unknown as { _handle: { _parentWrap: Wrapper } };
    Object.defineProperty(Object.getPrototypeOf(_handle._parentWrap), 'stream', {
      configurable: true,
      get: () => undefined,
      set(this: Wrapper, stream: { [onWrapped]?: (handle: WrapperHandle) => void }) {
        Object.defineProperty(this, 'stream', { value: stream, writable: true, configurable: true });
        stream[onWrapped]?.(this._handle);
      },
    });
    probe.destroy();
  } catch {
    // A Node without TLS, or another that works otherwise: the addresses stay unknown there.
  }
}
