/** Loads koffi for a thread, with no more memory than the calls of libc.ts need. */
import { createRequire } from 'node:module';
import { UasyncError } from '../errors/errors.js';
import { isMainThread } from '../main-thread.js';
import { ownUrl } from '../own-url.js';

export type Koffi = typeof import('koffi');

/** @throws UasyncError ERR_IO_URING_UNAVAILABLE where addons are forbidden, ERR_UNSUPPORTED_PLATFORM without a binary. */
export function loadKoffi(): Koffi {
  let koffi: Koffi;
  try {
    const require = createRequire(ownUrl(import.meta.url));
    koffi = binary(require) ?? (require('koffi') as Koffi);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED') throw addonsDisabled(cause);
    throw new UasyncError(
      'ERR_UNSUPPORTED_PLATFORM',
      "koffi could not be loaded; if dependencies were installed with '--omit=optional', install them again without it",
      { cause },
    );
  }
  if (!isMainThread) mapLess(koffi);
  return koffi;
}

/**
 * koffi's binary for this platform without koffi's own loader, which takes as long again, for functions that are not used
 * here. Undefined if it is elsewhere: koffi's loader finds it, or tells what is missing.
 */
function binary(require: NodeJS.Require): Koffi | undefined {
  try {
    const { platform, arch } = process;
    return createRequire(require.resolve('koffi'))(`@koromix/koffi-${platform}-${arch}`) as Koffi;
  } catch {
    return undefined;
  }
}

/** koffi is a native addon, which the process may forbid. */
function addonsDisabled(cause: unknown): UasyncError {
  const cure = process.permission === undefined ? 'without --no-addons' : 'with --allow-addons';
  return new UasyncError(
    'ERR_IO_URING_UNAVAILABLE',
    `uasync cannot be used: koffi is a native addon, and this process may not load addons: start node ${cure}`,
    { cause },
  );
}

/**
 * koffi 3.3 maps a stack and a heap for each thread that calls, 3 MiB, and leaves them mapped when a worker ends. Ours
 * need little of either. A program that has made calls by itself in this thread has fixed the sizes before.
 */
function mapLess(koffi: Koffi): void {
  try {
    koffi.config({ sync_stack_size: 512 * 1024, sync_heap_size: 256 * 1024 });
  } catch {}
}
