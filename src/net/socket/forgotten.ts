/** Closes owners of a descriptor that are collected without having been closed, with a warning. */
import type { Subject } from '../../loop/operation/pending.js';
import { setTimeout } from '../../loop/real-timers.js';

/** The remains of such an object: everything except the public object, which it must not reference. */
export interface Remains extends Subject {
  readonly closed: boolean;
  /** The object, once it has lived for a while: see `userOf`. */
  held: WeakRef<object> | null;
  /** Its address or path for the warning; undefined if unknown. */
  readonly place: string | undefined;
  close(): Promise<void>;
}

/**
 * Watching an object costs a tenth of a short connection, so objects that are closed before this age are not watched.
 */
const YOUNG_MS = 100;
/** The number of objects that one sweep starts to watch, so that it takes at most a millisecond. */
const SWEEP_MAX = 256;

const warned = new Set<string>();

const registry = new FinalizationRegistry<Remains>(remains => {
  if (remains.closed) return;
  warn(remains);
  remains.close().catch(() => {});
});

function warn({ kind, fd, place }: Remains): void {
  // There may be thousands of them.
  if (warned.has(kind)) return;
  warned.add(kind);
  const at = place === undefined ? '' : ` ${place}`;
  process.emitWarning(
    `A ${kind}${at} (descriptor ${fd}) was garbage collected without having been closed, and is closed now. ` +
      `Close each ${kind}; more of them are closed without a warning.`,
    'UasyncWarning',
    'UASYNC_UNCLOSED',
  );
}

/** Pairs of objects and remains, of this period and the previous one. */
let fresh: (object | Remains)[] = [];
let young: (object | Remains)[] = [];
let sweeping = false;

/** Closes `remains` once `object` is collected. */
export function closeWhenForgotten(object: object, remains: Remains): void {
  fresh.push(object, remains);
  if (sweeping) return;
  sweeping = true;
  setTimeout(sweep, YOUNG_MS).unref();
}

/**
 * They are closed, so nothing is to be done once the object is collected. Call it at the end of each close: remains that
 * are watched stay in memory, and so does their object if an error that they keep was created in its methods.
 */
export function forget(remains: Remains): void {
  if (remains.held !== null) registry.unregister(remains);
}

/** The public object, while the program holds it. */
export function userOf(remains: Remains): object | undefined {
  if (remains.held !== null) return remains.held.deref();
  for (const pairs of [fresh, young]) {
    const at = pairs.lastIndexOf(remains);
    if (at > 0) return pairs[at - 1];
  }
  return undefined;
}

function sweep(): void {
  let registered = 0;
  while (young.length !== 0 && registered < SWEEP_MAX) {
    const remains = young.pop() as Remains;
    const object = young.pop()!;
    if (remains.closed) continue;
    registry.register(object, remains, remains);
    remains.held = new WeakRef(object);
    registered++;
  }
  const more = young.length !== 0;
  if (!more) {
    young = fresh;
    fresh = [];
  }
  sweeping = young.length !== 0;
  if (sweeping) setTimeout(sweep, more ? 1 : YOUNG_MS).unref();
}
