/** Programs run as a user of their own, within limits. setpriv(1), prlimit(1) */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { PLAIN_NODE, ROOT } from './programs.js';

/** Nobody else's, so that what the user has in all is known. */
function newUser(): number {
  return randomInt(30_000, 60_000);
}

/** That of programs that run at a time. */
const SHARED = newUser();

const settings = { cwd: ROOT, timeout: 200_000 } as const;

function command(uid: number, limits: string[], program: string[]): string[] {
  const user = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups'];
  return [...user, 'prlimit', ...limits, ...PLAIN_NODE, ...program];
}

/** Why programs cannot be run so; false if they can. */
export function noOrdinaryUser(): string | false {
  if (process.getuid!() !== 0) return 'only root can run programs as another user';
  try {
    const program = ['--input-type=module', '--eval', "import 'uasync'"];
    execFileSync('setpriv', command(newUser(), ['--core=0:0'], program), { ...settings, stdio: 'pipe' });
    return false;
  } catch (error) {
    return `another user cannot run programs here: ${(error as Error).message.slice(0, 500)}`;
  }
}

/** How a program has ended. */
export interface Ended {
  stdout: string;
  stderr: string;
  code: number;
}

/** Runs Node as such a user, who may lock this many bytes of memory; it may fail. */
export function runLocked(memlock: number, ...program: string[]): Promise<Ended> {
  return run([`--memlock=${memlock}:${memlock}`], program);
}

/** Runs a program as such a user, with the memory that loops need. */
export function runAsUser(...program: string[]): Promise<Ended> {
  return run(['--memlock=8388608:8388608'], program);
}

/** As a new user: the kernel counts what an ended program had for a while longer. */
async function run(limits: string[], program: string[]): Promise<Ended> {
  const args = command(newUser(), limits, program);
  try {
    return { ...(await promisify(execFile)('setpriv', args, settings)), code: 0 };
  } catch (error) {
    const { stdout = '', stderr = '', code } = error as Partial<Ended>;
    if (typeof code !== 'number') throw error;
    return { stdout, stderr, code };
  }
}

/** The same with a program that prints JSON. */
export async function foundLocked<T>(memlock: number, ...program: string[]): Promise<T> {
  const { stdout, stderr, code } = await runLocked(memlock, ...program);
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Starts a program as the user that all of these have: its first line, and what ends its standard input and resolves to its exit code. */
export function startLocked(
  memlock: number,
  ...program: string[]
): { firstLine: Promise<string>; end: () => Promise<number> } {
  const args = command(SHARED, [`--memlock=${memlock}:${memlock}`], program);
  const child = spawn('setpriv', args, { ...settings, stdio: ['pipe', 'pipe', 'inherit'] });
  const exit = once(child, 'exit').then(([code]) => code as number);
  const line = once(createInterface(child.stdout!), 'line').then(([text]) => String(text));
  return {
    firstLine: Promise.race([line, exit.then(code => `exit code ${code}`)]),
    end() {
      child.stdin!.end();
      return exit;
    },
  };
}
