/** Whether Node's `net` can be put on the loop here, found out when the first socket is made. */
import { bridge } from './bridges.js';
import { faultOfNet } from './self-test.js';

let fits: boolean | undefined;

/** Looks at the running Node once, and bridges what needs that. One warning says why, if it does not fit. */
export function netFits(): boolean {
  if (fits !== undefined) return fits;
  const fault = faultOfNet() ?? faultOfBridges();
  fits = fault === null;
  if (!fits) {
    process.emitWarning(
      `node:net stays as it is: on Node ${process.version} ${fault}`,
      'UasyncWarning',
      'UASYNC_REGISTER',
    );
  }
  return fits;
}

/** No socket may be on the loop while a bridge is missing. */
function faultOfBridges(): string | null {
  try {
    bridge();
    return null;
  } catch (error) {
    return `it fails: ${(error as Error).message}`;
  }
}
