/** What the system reports about itself and this process, proc(5). */

import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** A file of /proc, or '' where it cannot be read. */
export function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

/** The running kernel as [major, minor]. */
export function kernelVersion(): [major: number, minor: number] {
  const [major = '0', minor = '0'] = release().split('.');
  return [Number.parseInt(major, 10) || 0, Number.parseInt(minor, 10) || 0];
}

/** Whether the running kernel is at least this one. */
export function kernelIsAtLeast(major: number, minor: number): boolean {
  const [runningMajor, runningMinor] = kernelVersion();
  return runningMajor > major || (runningMajor === major && runningMinor >= minor);
}

/** A field of a file such as /proc/self/status; '' if there is none. */
export function procField(text: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
}

/** A resource limit, getrlimit(2); null is no limit. */
export interface Limit {
  soft: number | null;
  hard: number | null;
}

/** A limit of this process by its name in /proc/self/limits; null if that cannot be read. */
export function limitOf(name: string): Limit | null {
  const line = readProc('/proc/self/limits')
    .split('\n')
    .find(line => line.startsWith(name));
  if (line === undefined) return null;
  const [soft, hard] = line.slice(name.length).trim().split(/\s+/);
  return { soft: limitValue(soft), hard: limitValue(hard) };
}

function limitValue(text: string | undefined): number | null {
  const value = Number(text);
  return Number.isNaN(value) ? null : value;
}
