/** Runs the same call against node:fs/promises and uasync/fs, and says how each ended. */
import { promises } from 'node:fs';
import * as fs from 'uasync/fs';

/** Either of the two: they have the same names and signatures. */
export type Api = typeof promises;

export const node: Api = promises;
export const ours = fs as unknown as Api;

/** All that an error says, but for its class's name and its stack. */
export function fieldsOf(error: unknown): object {
  const { code, errno, syscall, path, dest, message } = error as NodeJS.ErrnoException & { dest?: string };
  const kind = ['TypeError', 'RangeError', 'AbortError'].find(name => name === (error as Error).name);
  // Node 26 adds the path to errors of reading; what this package follows is Node 20 to 24.
  if (syscall === 'read') return { kind, code, errno, syscall };
  return { kind, code, errno, syscall, path, dest, message };
}

/** What a call came to. */
export async function outcome(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: await call() };
  } catch (error) {
    return { error: fieldsOf(error) };
  }
}
