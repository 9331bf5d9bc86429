/** Whether a module of Node's can be put on the loop here. Determined when its first socket is created. */
import { bridge } from './bridges/bridges.js';
import { faultOfNet } from './stream/self-test.js';

/**
 * Checks the running Node once, and installs the bridges. If it does not fit, one warning gives the reason.
 * @param fault returns the reason why the module cannot be on the loop. @param prepare must run before any socket
 * exists; its exceptions are faults too.
 */
export function fitting<Args extends unknown[]>(
  module: string,
  fault: (...args: Args) => string | null,
  prepare: () => void,
): (...args: Args) => boolean {
  let fits: boolean | undefined;
  return (...args) => {
    if (fits !== undefined) return fits;
    // The test's own sockets are Node's.
    fits = false;
    const found = faultOf(() => {
      const missing = fault(...args);
      if (missing === null) prepare();
      return missing;
    });
    fits = found === null;
    if (!fits) {
      process.emitWarning(
        `${module} stays as it is: on Node ${process.version} ${found}`,
        'UasyncWarning',
        'UASYNC_REGISTER',
      );
    }
    return fits;
  };
}

function faultOf(call: () => string | null): string | null {
  try {
    return call();
  } catch (error) {
    return `it fails: ${(error as Error).message}`;
  }
}

export const netFits: () => boolean = fitting('node:net', faultOfNet, bridge);
