/**
 * `FileHandle` of `node:fs/promises` on the loop. The class stays Node's: a handle can be transferred to a worker or
 * passed to `fs.createReadStream`, and closes its descriptor when it is collected. Its native handle is replaced by one
 * that closes on the loop, and a handle of uasync/fs serves its calls.
 */
import type { FileHandle as Opened } from '../../fs/api.js';
import type { FileHandle as OwnHandle } from '../../fs/handle/file-handle.js';
import { promises as stock } from '../../fs/node-promises.js';
import { disown } from '../../loop/closing/owned-descriptors.js';
import { EBADF } from '../../sys/abi/errno.js';
import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { type NativeFile, nativeFiles, symbolOf } from '../natives.js';

/** Converts a handle of uasync/fs to one of Node's. */
export type Returning = (file: Opened) => object;

type Method = (this: unknown, ...args: unknown[]) => unknown;
type NodeHandle = { readonly fd: number };
type NodeClass = new (native: NativeFile) => NodeHandle;

/** The calls that uasync/fs serves. Node serves the rest, with these calls or the descriptor. */
const CALLS = [
  'appendFile',
  'datasync',
  'read',
  'readFile',
  'readv',
  'stat',
  'sync',
  'truncate',
  'write',
  'writeFile',
  'writev',
] as const;

/** A class that extends this adds its fields to the given object. */
class Given {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is its purpose.
    return object;
  }
}

/** A field of Node's handles that only this file can read. */
class Served extends Given {
  readonly #file: OwnHandle;
  readonly #native: LoopFile;

  constructor(handle: object, file: OwnHandle, native: LoopFile) {
    super(handle);
    this.#file = file;
    this.#native = native;
  }

  /** The handle of uasync/fs behind a handle; null for one that is closed, transferred, or Node's. */
  static by(handle: unknown): OwnHandle | null {
    if (typeof handle !== 'object' || handle === null || !(#file in handle)) return null;
    return (handle as unknown as NodeHandle).fd < 0 || handle.#native.gone ? null : handle.#file;
  }
}

/** A native handle that closes on the loop. */
interface LoopFile extends NativeFile {
  /** Whether Node has closed it on its own. */
  readonly gone: boolean;
}

/** Node's class of native handles, extended to close on the loop. */
function closingOnLoop(Native: ReturnType<typeof nativeFiles>): new (file: OwnHandle) => LoopFile {
  const LoopFile = class extends Native {
    readonly #file: OwnHandle;
    /** Node 20 closes it when a web stream is cancelled, and another file may have its number from then on. */
    gone = false;

    constructor(file: OwnHandle) {
      super(file.fd);
      this.#file = file;
      file.giveTo(this);
    }

    override shutdown(request: object): number {
      this.gone = true;
      return super.shutdown(request);
    }

    override async close(): Promise<void> {
      if (this.gone) throw systemError(EBADF, 'close');
      // Pending calls still use the descriptor.
      this.releaseFD();
      return this.#file.closeReleased();
    }

    /** Node 24. */
    override closeSync(): void {
      if (this.#file.busy) this.close().catch(() => {});
      else super.closeSync();
    }
  };
  Object.defineProperty(LoopFile, 'name', { value: Native.name });
  return LoopFile;
}

/** Serves the calls of Node's class with uasync/fs, for handles that have one. */
function serve(prototype: Record<PropertyKey, unknown>, transfer: symbol): void {
  for (const name of CALLS) {
    const own = prototype[name] as Method;
    replace(prototype, name, function (this: unknown, ...args: unknown[]): unknown {
      const file = Served.by(this);
      return file === null ? own.apply(this, args) : (file[name] as Method)(...args);
    });
  }
  const own = prototype[transfer] as Method;
  replace(prototype, transfer, function (this: unknown, ...args: unknown[]): unknown {
    if (Served.by(this)?.busy) {
      throw new DOMException('Cannot transfer FileHandle while in use', 'DataCloneError');
    }
    return own.apply(this, args);
  });
}

function replace(target: object, key: PropertyKey, value: Method): void {
  const before = Object.getOwnPropertyDescriptor(target, key)!;
  Object.defineProperty(value, 'name', { value: (before.value as Method).name, configurable: true });
  Object.defineProperty(value, 'length', { value: (before.value as Method).length, configurable: true });
  Object.defineProperty(target, key, { ...before, value });
}

/**
 * How handles become Node's; null, with a warning, if Node has changed what that needs; undefined if the system lacked
 * the resources for the self-test.
 */
export async function nodeHandles(): Promise<Returning | null | undefined> {
  try {
    return await adapted();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) return undefined;
    process.emitWarning(
      `FileHandle of node:fs/promises stays as it is: on Node ${process.version} ${(error as Error).message}`,
      'UasyncWarning',
      'UASYNC_REGISTER',
    );
    return null;
  }
}

/** The used parts of Node's handles. */
interface Parts {
  HandleClass: NodeClass;
  Native: ReturnType<typeof nativeFiles>;
  prototype: Record<PropertyKey, unknown>;
  transfer: symbol;
}

/** @throws what is missing. */
async function parts(): Promise<Parts> {
  // There is no other way to Node's class.
  const sample = await stock.open('/');
  try {
    const Native = nativeFiles();
    const HandleClass = sample.constructor as NodeClass;
    const prototype = HandleClass.prototype as unknown as Record<PropertyKey, unknown>;
    const transfer = symbolOf(prototype, 'messaging_transfer_symbol');
    const missing = [...CALLS, transfer ?? 'transfer'].find(name => typeof prototype[name] !== 'function');
    if (missing !== undefined) throw new Error(`${String(missing)} is missing`);
    const own = symbolOf(sample, 'kHandle');
    if (own === undefined || (sample as unknown as Record<symbol, object>)[own]?.constructor !== Native) {
      throw new Error('handles have no native handle of the known class');
    }
    await tried(HandleClass, Native, sample.fd);
    return { HandleClass, Native, prototype, transfer: transfer! };
  } finally {
    await sample.close();
  }
}

/** Why handles stay Node's on this Node; null if they do not. */
export async function faultOfFiles(): Promise<string | null> {
  try {
    await parts();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

async function adapted(): Promise<Returning> {
  const { HandleClass, Native, prototype, transfer } = await parts();
  const Closing = closingOnLoop(Native);
  serve(prototype, transfer);
  return file => {
    const served = file as unknown as OwnHandle;
    const native = new Closing(served);
    return new Served(new HandleClass(native), served, native);
  };
}

/** Creates a handle for a descriptor, and closes it. */
async function tried(
  HandleClass: NodeClass,
  Native: ReturnType<typeof nativeFiles>,
  fd: number,
): Promise<void> {
  let closed = 0;
  const copy = libc().duplicate(fd);
  if (copy < 0) throw systemError(copy, 'dup');
  const native = new (class extends Native {
    override async close(): Promise<void> {
      closed++;
      this.releaseFD();
      libc().close(copy);
    }
  })(copy);
  // It belongs to the native handle from now on.
  disown(copy);
  const handle = new HandleClass(native) as NodeHandle & { close(): Promise<void> };
  const open = handle.fd;
  await handle.close();
  if (open < 0 || closed !== 1 || handle.fd >= 0) throw new Error('handles are not closed as they were');
}
