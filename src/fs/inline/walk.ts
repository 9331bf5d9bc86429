/** Walks through trees by plain calls: whether one is allowed, and its share of the thread. */
import { loop as currentLoop } from '../../loop/current.js';
import type { Loop } from '../../loop/loop.js';
import { setImmediate } from '../../loop/real-timers.js';
import { directoryCalls, type Names } from '../../sys/calls/directory-calls.js';
import { guarded } from '../../sys/check/permission.js';
import { closedError } from '../../sys/errors/errors.js';
import { promises } from '../node-promises.js';
import { briefCalls } from './brief-calls.js';
import type { Device } from './devices.js';

/**
 * The loop whose budget a walk uses; undefined if Node does all of it: without plain calls, and under the permission
 * model, which must be asked about each path.
 */
export function walkingLoop(): Loop | undefined {
  if (guarded) return undefined;
  try {
    const loop = currentLoop();
    return loop.inline.enabled ? loop : undefined;
  } catch {
    // Where no loop can run, Node makes these calls, which need none.
    return undefined;
  }
}

/** As `walkingLoop`, for a walk that changes files. */
export function changingLoop(): Loop | undefined {
  const loop = walkingLoop();
  return loop?.inline.writes ? loop : undefined;
}

/** The cost of listing some names, in calls. */
const LIST_CALLS = 4;

/** An open directory. */
export interface Folder {
  readonly fd: number;
  /** The directory's path, for errors. */
  readonly path: string;
}

/** A walk's share of the thread: the rest of the loop's budget. */
export class Share {
  readonly #loop: Loop;

  constructor(loop: Loop) {
    this.#loop = loop;
  }

  /** Whether `next` must be awaited first. */
  get spent(): boolean {
    return this.#loop.inline.spent;
  }

  /** Lets Node's event loop iterate until there is a budget again; throws if the loop is closed meanwhile. */
  async next(): Promise<void> {
    do {
      await new Promise<void>(resolve => setImmediate(resolve));
      this.check();
    } while (this.spent);
  }

  /**
   * Lists the first entries of a directory; returns the number of bytes, or a negative errno. While the device is slow,
   * one of Node's threads reads the directory first.
   */
  async listFirst({ fd, path }: Folder, names: Names, device: Device): Promise<number> {
    const brief = briefCalls(this.#loop);
    const calls = directoryCalls();
    if (this.spent) await this.next();
    if (brief.beginReading(device, LIST_CALLS)) {
      const listed = calls.list(fd, names);
      brief.end(device);
      return listed;
    }
    await warm(path);
    this.check();
    return calls.list(fd, names);
  }

  /** Throws if the loop has been closed. */
  check(): void {
    if (this.#loop.closing) throw closedError('The loop');
  }
}

/** Lets one of Node's threads read a directory that is not cached. It only reads, wherever the path leads by now. */
export async function warm(path: string): Promise<void> {
  await promises.readdir(path, 'buffer').catch(() => {});
}
