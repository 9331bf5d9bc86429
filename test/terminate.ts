/** The soak program that terminates workers, for tests. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { built } from './programs.js';

/** In a process of its own, as it may abort. */
export async function terminate(
  times: number,
  kinds: string,
  within: number,
  ...more: string[]
): Promise<string> {
  const args = ['--expose-gc', built('test/soak/terminate.js'), `${times}`, kinds, `${within}`, ...more];
  // Each arena of glibc reserves 64 MiB of addresses.
  const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  return stdout;
}
