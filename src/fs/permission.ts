/**
 * Checks paths against Node's permission model. If it denies an access that a call needs, the call goes to Node, which
 * throws its own error, or does what it allows nevertheless.
 */
import { constants } from 'node:fs';
import { O_ACCMODE } from '../sys/abi/flags.js';
import { allows, guarded } from '../sys/check/permission.js';

const { O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } = constants;

type Path = string | Uint8Array;

/** Whether a path may be read. */
export function mayRead(path: Path): boolean {
  return !guarded || allows('fs.read', path);
}

/** Whether a path may be written. */
export function mayWrite(path: Path): boolean {
  return !guarded || allows('fs.write', path);
}

/** Whether a path may be opened with these flags. */
export function mayOpen(path: Path, flags: number): boolean {
  if (!guarded) return true;
  const access = flags & O_ACCMODE;
  const writes = access !== O_RDONLY || (flags & (O_APPEND | O_CREAT | O_TRUNC)) !== 0;
  return (access === O_WRONLY || allows('fs.read', path)) && (!writes || allows('fs.write', path));
}

/** Whether a path may get another name, where more may be allowed. */
export function mayMove(from: Path, to: Path): boolean {
  return !guarded || (mayRead(from) && mayWrite(from) && mayWrite(to));
}

/** Whether symbolic links may be created: they can point anywhere. */
export function maySymlink(): boolean {
  return !guarded || (allows('fs.read') && allows('fs.write'));
}
