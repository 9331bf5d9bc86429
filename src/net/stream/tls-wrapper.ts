/**
 * node:tls and node:http2 put a stream that is not a net.Socket into a wrapper of Node's (JSStreamSocket), whose handle
 * has no addresses and no options: `remoteAddress` of the TLS socket would be undefined. The wrapper is not public, but
 * it sets a property that names its stream, which makes it accessible.
 */
import { Duplex } from 'node:stream';

/** The methods of the wrapper's handle that a TLS socket calls. A result of 0 is success. */
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

/** A method of the stream, called with the handle of its wrapper. */
export const onWrapped = Symbol('onWrapped');

let meeting = false;

/** Detects wrappers from now on. The first call comes while one is being created, as it pauses the stream. */
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
    // Node without TLS, or with another implementation: the addresses stay unknown there.
  }
}
