/**
 * How far the system is from throttling writers until the disks have caught up: compares the dirty pages with the
 * thresholds, of the machine and of this process's memory cgroups.
 */
import { readProc } from '../../sys/proc.js';

/** A sample takes about 0.1 ms. It is taken again after this time, or once this many bytes have been allowed. */
const SAMPLE_MS = 50;
const SAMPLE_BYTES = 16 * 1024 * 1024;
/** The minimum interval, even if everything that was allowed has been written. */
const SAMPLE_MS_MIN = 1;
/** The interval in milliseconds at which cgroups and their limits are looked up again. */
const LIMITS_MS = 10_000;
/** If pages are larger, this is on the safe side. */
const PAGE = 4096;
/** The share of a cgroup's memory for files that may be dirty. The kernel starts to write at 10 %. */
const CGROUP_SHARE = 1 / 20;
const CGROUPS = '/sys/fs/cgroup';
/** The value in version 1 that means no limit. */
const UNLIMITED = 2 ** 60;

/** A memory cgroup that has a limit. */
interface Limited {
  stat: string;
  limit: number;
  /** The prefix of names in version 1. */
  prefix: string;
}

/** A number in a file of names and numbers; NaN if the name is missing. */
function numberOf(text: string, name: string): number {
  const at = `\n${text}`.indexOf(`\n${name} `);
  return at < 0 ? Number.NaN : Number.parseInt(text.slice(at + name.length + 1), 10);
}

/** Bytes that the machine can still take before it starts to write: half of that threshold is kept free. */
function roomOfMachine(): number {
  const text = readProc('/proc/vmstat');
  const dirty = numberOf(text, 'nr_dirty') + numberOf(text, 'nr_writeback');
  return (numberOf(text, 'nr_dirty_background_threshold') / 2 - dirty) * PAGE;
}

function roomOfCgroup({ stat, limit, prefix }: Limited): number {
  const text = readProc(stat);
  const of = (name: string): number => numberOf(text, prefix + name);
  if (prefix === '')
    return (limit - of('anon') - of('shmem')) * CGROUP_SHARE - of('file_dirty') - of('file_writeback');
  return (limit - of('rss') - of('shmem')) * CGROUP_SHARE - of('dirty') - of('writeback');
}

/** The memory cgroups of this process that have a limit. cgroups(7) */
function limitedCgroups(): Limited[] {
  const found: Limited[] = [];
  for (const line of readProc('/proc/self/cgroup').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === '') {
      for (let at = path!; ; at = at.slice(0, at.lastIndexOf('/'))) {
        const folder = `${CGROUPS}${at === '/' ? '' : at}`;
        const limit = Number.parseInt(readProc(`${folder}/memory.max`), 10);
        if (limit >= 0) found.push({ stat: `${folder}/memory.stat`, limit, prefix: '' });
        if (at === '' || at === '/') break;
      }
    } else if (controllers?.split(',').includes('memory')) {
      // Within a container its own cgroup is the root.
      const own = `${CGROUPS}/memory${path}/memory.stat`;
      const stat = readProc(own) === '' ? `${CGROUPS}/memory/memory.stat` : own;
      const limit = numberOf(readProc(stat), 'hierarchical_memory_limit');
      if (limit < UNLIMITED) found.push({ stat, limit, prefix: 'total_' });
    }
  }
  return found;
}

/** Estimates from samples whether writers can continue. If /proc cannot be read they cannot. */
export class WritePressure {
  #room = 0;
  #sampled = Number.NEGATIVE_INFINITY;
  #limits: Limited[] = [];
  #limitsRead = Number.NEGATIVE_INFINITY;

  /** Whether `bytes` more can be written now without coming near the thresholds. */
  allows(bytes: number, time: number): boolean {
    const age = time - this.#sampled;
    if (age > SAMPLE_MS || (this.#room < bytes && age > SAMPLE_MS_MIN)) this.#sample(time);
    if (this.#room < bytes) return false;
    this.#room -= bytes;
    return true;
  }

  #sample(time: number): void {
    if (time - this.#limitsRead > LIMITS_MS) {
      this.#limits = limitedCgroups();
      this.#limitsRead = time;
    }
    const rooms = [roomOfMachine(), ...this.#limits.map(roomOfCgroup)];
    // An unknown value counts as 0.
    this.#room = Math.max(0, Math.min(SAMPLE_BYTES, ...rooms)) || 0;
    this.#sampled = time;
  }
}
