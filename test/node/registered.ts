/** Programs that know nothing of uasync, run with `uasync/register`: by default with all of it. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PLAIN_NODE, ROOT } from '../programs.js';

/** How a program is run. */
export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  args?: string[];
  kind?: 'mjs' | 'cjs';
}

/** Runs programs from files in a folder; what they print. */
export function registered(
  folder: string,
): (program: string, options?: RunOptions) => Promise<{ stdout: string; stderr: string }> {
  let programs = 0;
  return (program, { env = {}, args = [], kind = 'mjs' } = {}) => {
    const file = join(folder, `program-${programs++}.${kind}`);
    writeFileSync(file, program);
    const [command, ...node] = PLAIN_NODE;
    return promisify(execFile)(command, [...node, ...args, '--import', 'uasync/register', file], {
      cwd: ROOT,
      env: { ...process.env, UASYNC_REGISTER: 'all', ...env },
      timeout: 100_000,
    });
  };
}
