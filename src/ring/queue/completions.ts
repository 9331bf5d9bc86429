import { checkFunction, checkInt } from '../../sys/check/check.js';
import { argTypeError } from '../../sys/errors/errors.js';
import type { CompletionQueue } from './completion-queue.js';
import type { Cqe, CqeSink } from './cqe.js';

/** What reaping needs of a ring. */
interface CompletionSource {
  readonly cq: CompletionQueue;
  readonly closed: boolean;
  readonly cqEntries: number;
  readonly cqReady: number;
  readonly cqHasOverflow: boolean;
  /** Makes the kernel post completions, including overflowed ones; waits until there are `waitNr`. */
  getEvents(waitNr: number): void;
}

/** Passes completions to `sink`; with `overflown` also those that overflowed. Returns their number. */
export function reap(ring: CompletionSource, sink: CqeSink, overflown: boolean): number {
  if (typeof sink?.onCqe !== 'function') throw argTypeError('sink', 'an object with onCqe()', sink);
  let count = 0;
  for (;;) {
    const { cq } = ring;
    count += cq.drain(sink);
    if (ring.closed) return count;
    // A resize has moved the others.
    if (ring.cq !== cq) continue;
    if (!overflown || !ring.cqHasOverflow) return count;
    ring.getEvents(0);
    if (ring.cq.ready === 0) return count;
  }
}

/** See `Ring.forEachCqe`. */
export function forEachCqe(ring: CompletionSource, fn: (cqe: Cqe) => void): number {
  checkFunction('fn', fn);
  let count = 0;
  do {
    waitFor(ring, 0);
    // No more than there are now: `fn` may submit.
    for (let left = ring.cq.ready; left > 0 && !ring.closed; left--) {
      const cqe = emptyCqe();
      if (!ring.cq.next(cqe)) break;
      // Returned one by one, so that an exception from `fn` leaves the rest in the queue.
      ring.cq.publish();
      count++;
      fn(cqe);
    }
  } while (!ring.closed && ring.cqHasOverflow && count !== 0);
  return count;
}

/** Waits until there are `waitNr` completions. Returns all of the queue, in new objects. */
export function copyNewCqes(ring: CompletionSource, waitNr: number): Cqe[] {
  checkInt('waitNr', waitNr, 0, 0x7fffffff);
  waitFor(ring, waitNr);
  const cqes: Cqe[] = [];
  forEachCqe(ring, cqe => cqes.push(cqe));
  return cqes;
}

/** Copies completions into the objects of `into`, at most `into.length`. Returns their number. */
export function copyCqesInto(ring: CompletionSource, into: Cqe[], waitNr: number): number {
  checkInt('waitNr', waitNr, 0, into.length);
  waitFor(ring, waitNr);
  let count = 0;
  try {
    while (count < into.length) {
      into[count] ??= emptyCqe();
      const cqe = into[count]!;
      if (typeof cqe !== 'object') throw argTypeError(`into[${count}]`, 'an object', cqe);
      if (!ring.cq.next(cqe)) break;
      count++;
    }
  } finally {
    if (count !== 0) ring.cq.publish();
  }
  return count;
}

/** Blocks until there are `count` completions. Does not submit entries that were filled before. */
function waitFor(ring: CompletionSource, count: number): void {
  if (count > ring.cqEntries) checkInt('waitNr', count, 0, ring.cqEntries);
  if (ring.cqReady < count) ring.getEvents(count);
  else if (ring.cqReady === 0 && ring.cqHasOverflow) ring.getEvents(0);
}

function emptyCqe(): Cqe {
  return { userData: 0, res: 0, flags: 0 };
}
