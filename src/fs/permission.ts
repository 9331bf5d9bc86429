/**
 * What Node's permission model says of paths. Where it does not allow what a call needs, the call is handed to Node,
 * which refuses it in its own words, or does what it allows all the same.
 */
import { constants } from 'node:fs';
import { O_ACCMODE } from '../ring/flags.js';
import { allows, guarded } from '../ring/permission.js';

const { O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } = constants;

type Path = string | Uint8Array;

/** Whether a path may be looked at. */
export function mayRead(path: Path): boolean {
  return !guarded || allows('fs.read', path);
}

/** Whether what a path names may be changed. */
export function mayWrite(path: Path): boolean {
  return !guarded || allows('fs.write', path);
}

/** Whether a path may be opened so. */
export function mayOpen(path: Path, flags: number): boolean {
  if (!guarded) return true;
  const access = flags & O_ACCMODE;
  const writes = access !== O_RDONLY || (flags & (O_APPEND | O_CREAT | O_TRUNC)) !== 0;
  return (access === O_WRONLY || allows('fs.read', path)) && (!writes || allows('fs.write', path));
}

/** Whether a path may be given a name elsewhere, which may be allowed more. */
export function mayMove(from: Path, to: Path): boolean {
  return !guarded || (mayRead(from) && mayWrite(from) && mayWrite(to));
}

/** Whether symbolic links may be made: they lead wherever they say. */
export function maySymlink(): boolean {
  return !guarded || (allows('fs.read') && allows('fs.write'));
}
