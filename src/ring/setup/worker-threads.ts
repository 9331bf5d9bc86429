/**
 * The kernel's worker threads for this thread's rings (io-wq). Later versions of 6.18 end them when the thread closes
 * its last ring. An operation that a new ring passes to a worker which is about to end is lost, and from then on all
 * that need a worker: the kernel takes it for one that runs. So the next ring is only made once they have ended.
 */
import { readdirSync } from 'node:fs';
import { kernelIsAtLeast, readProc } from '../../sys/proc.js';
import { pause } from './locked-memory.js';

/** From 22 on Node has rings of its own in each thread, which keep the workers. */
const NODE_WITH_RINGS = 22;
/** How often to look, a millisecond apart: they end within a few, or on a busy machine within some tens. */
const LOOKS = 250;
const LOOK_MS = 1;

/** The number of this thread's open rings. */
let open = 0;
/** Whether the last one may have left workers. */
let mayLeave = false;
/** Whether they outlive their rings: older kernels, or another thread has a ring. */
let outlive = Number.parseInt(process.versions.node, 10) >= NODE_WITH_RINGS || !kernelIsAtLeast(6, 18);

/** A ring is about to be made: waits until the workers of the last one have ended. */
export function beforeRing(): void {
  if (!mayLeave || open !== 0 || outlive) return;
  mayLeave = false;
  for (let looks = 0; looks < LOOKS; looks++) {
    if (!hasWorkers()) return;
    pause(LOOK_MS);
  }
  outlive = true;
}

/** A ring was made. */
export function ringOpened(): void {
  open++;
}

/** A ring has been closed. @param used whether it has submitted anything. */
export function ringClosed(used: boolean): void {
  open--;
  mayLeave ||= used;
}

function hasWorkers(): boolean {
  try {
    return readdirSync('/proc/self/task').some(id =>
      readProc(`/proc/self/task/${id}/comm`).startsWith('iou-wrk-'),
    );
  } catch {
    // The permission model forbids it, or there is no /proc.
    return false;
  }
}
