import { readdirSync, readFileSync } from 'node:fs';

/** How many threads of the kernel do work of this process's rings that waits. */
export function kernelThreads(): number {
  const names = readdirSync('/proc/self/task').map(id => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'latin1');
    } catch {
      return '';
    }
  });
  return names.filter(name => name.startsWith('iou-wrk')).length;
}
