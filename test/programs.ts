/** Programs run in processes of their own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The project's folder, from which its own name resolves. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A compiled file of this project. */
export function built(path: string): string {
  return `${ROOT}dist/${path}`;
}

/**
 * Node as a command, without the loader that tap gives to every process, whatever its environment says: what reads few
 * files, or may read few, cannot have it.
 */
export const PLAIN_NODE = ['env', '-u', 'NODE_OPTIONS', process.execPath] as const;

/** Runs a command to its end; resolves to what it printed, rejects if it failed. */
export async function output(
  command: string,
  args: readonly string[],
  env = process.env,
  cwd = ROOT,
): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, {
    cwd,
    env,
    timeout: 200_000,
    maxBuffer: 16 << 20,
  });
  return stdout;
}

/** Starts a server program, and resolves to the port it says it listens on. */
export async function serve(
  script: string,
  ...args: string[]
): Promise<{ port: number; child: ChildProcess }> {
  const child = spawn(process.execPath, [built(script), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', code => reject(new Error(`${script} ended with ${code}`)));
    createInterface(child.stdout!).on('line', line => {
      const match = /^listening on .*:(\d+)$/.exec(line);
      if (match !== null) resolve(Number(match[1]));
    });
  });
  return { port, child };
}
