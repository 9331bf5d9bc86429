/** Whether a module of Node's can be put on the loop here, found out when its first socket is made. */
import { bridge } from './bridges.js';
import { faultOfNet } from './self-test.js';

/**
 * Looks at the running Node once, and bridges what needs that. One warning says why, if it does not fit.
 * @param fault tells what keeps the module from the loop. @param prepare without it no socket may be there; what it throws is a fault.
 */
export function fitting<Args extends unknown[]>(
  module: string,
  fault: (...args: Args) => string | null,
  prepare: () => void,
): (...args: Args) => boolean {
  let fits: boolean | undefined;
  return (...args) => {
    if (fits !== undefined) return fits;
    // What the test makes is Node's.
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
