import * as abi from '../../ring/abi/io-uring.js';
import { EBADF, EINVAL, EPERM } from '../../sys/abi/errno.js';
import { POLLERR, POLLHUP, POLLRDHUP } from '../../sys/abi/flags.js';
import { type Entry, RUNNING } from '../entry.js';
import type { Host } from '../host.js';

/** The descriptor is not open. poll(2) */
const POLLNVAL = 0x20;
const FLAGS = abi.POLL_ADD_MULTI | abi.POLL_ADD_LEVEL;

/** Completes with the poll(2) events of a descriptor: once, or for a multishot poll each time that there are some. */
export function pollAdd(ring: Host, entry: Entry): void {
  if (entry.len & ~FLAGS) {
    ring.complete(entry, EINVAL);
    return;
  }
  // Events that the kernel always reports.
  const wanted = (entry.opFlags & 0xffff) | POLLERR | POLLHUP | POLLRDHUP;
  const found = ring.calls.poll(entry.fd, wanted);
  if (found < 0 || found & POLLNVAL) {
    ring.complete(entry, found < 0 ? found : EBADF);
    return;
  }
  const multishot = (entry.len & abi.POLL_ADD_MULTI) !== 0;
  if ((found & wanted) !== 0 && !multishot) {
    ring.complete(entry, found & wanted);
    return;
  }
  const isNew = entry.place === RUNNING;
  const result = ring.waitForEvents(entry, wanted);
  // A listener that other threads share.
  if (multishot) ring.readiness.share(entry.fd);
  if (result === EPERM) ring.complete(entry, found & wanted);
  else if (result < 0) ring.complete(entry, result);
  else if ((found & wanted) !== 0 && tells(entry, found & wanted, isNew, result)) {
    entry.target = found & wanted;
    ring.post(entry, found & wanted, 0);
  }
}

/**
 * Whether a multishot poll completes with these events. A new registration reports the current state again: it reports
 * readable and writable then, as more may have arrived since. Hang-ups are only reported once, so they complete it now.
 */
function tells(entry: Entry, found: number, isNew: boolean, registered: number): boolean {
  const lasts = (found & ~(POLLERR | POLLHUP | POLLRDHUP)) === 0;
  if (isNew) return lasts || registered === 0;
  return !lasts || found !== entry.target;
}
