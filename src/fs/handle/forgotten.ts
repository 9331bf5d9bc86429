/** Handles that are dropped without close(): as in Node, a warning is emitted and they are closed. */
import { disown } from '../../loop/closing/owned-descriptors.js';
import { libc } from '../../sys/libc/libc.js';

let deprecated = false;

const registry = new FinalizationRegistry<number>(fd => {
  // Another thread may have the number right after.
  disown(fd);
  libc().close(fd);
  process.emitWarning(`Closing file descriptor ${fd} on garbage collection`);
  if (deprecated) return;
  deprecated = true;
  process.emitWarning(
    'Closing a FileHandle object on garbage collection is deprecated. ' +
      'Please close FileHandle objects explicitly using FileHandle.prototype.close(). ' +
      'In the future, an error will be thrown if a file descriptor is closed during garbage collection.',
    'DeprecationWarning',
    'DEP0137',
  );
});

/** Closes `fd` if `handle` is collected. */
export function rememberOpen(handle: object, fd: number): void {
  registry.register(handle, fd, handle);
}

/** The handle is being closed. */
export function forget(handle: object): void {
  registry.unregister(handle);
}
