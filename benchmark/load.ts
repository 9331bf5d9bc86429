/** The load generators for stream echo servers: C, and for the stream itself also JavaScript on the ring. */
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { compile, script } from './compile.js';
import { onCore } from './processes.js';

/** What a run of a generator has counted. */
export interface LoadResult {
  /** Messages that came back whole; connections, where each has only one. */
  ops: number;
  seconds: number;
  /** CPU seconds of the generator itself. */
  cpu: number;
  /** Places where a byte was not the one sent. */
  corrupt: number;
  /** Messages that never came back. */
  lost: number;
}

/** Latency from when a message was due, in microseconds. */
export interface PacedResult extends LoadResult {
  p50: number;
  p99: number;
  p999: number;
  max: number;
}

/** `conns` connections, each with `depth` messages of `size` bytes under way. */
export interface StreamLoad {
  conns: number;
  size: number;
  depth: number;
}

let stream: string[] | undefined;

function streamGenerator(): string[] {
  if (stream === undefined) {
    try {
      stream = [compile('benchmark/load/stream.c')];
    } catch {
      stream = [process.execPath, script('benchmark/load/stream.ts')];
    }
  }
  return stream;
}

/** Which generator serves: 'C' or 'JavaScript'. */
export function generator(): 'C' | 'JavaScript' {
  return streamGenerator().length === 1 ? 'C' : 'JavaScript';
}

/** Runs a generator; rejects with what was wrong if a byte came back wrong, or not at all. */
async function run<T extends LoadResult>(
  command: string[],
  port: number,
  numbers: number[],
  core: number | null = 1,
): Promise<T> {
  const args = ['127.0.0.1', port, ...numbers].map(String);
  const [program, ...rest] = onCore(core, [...command, ...args]);
  const { error, stdout, stderr } = await promisify(execFile)(program!, rest)
    .then(output => ({ error: undefined, ...output }))
    .catch(error => ({ error: error as Error, stdout: error.stdout, stderr: error.stderr }));
  if (error !== undefined && stdout === '') throw new Error(stderr.trim() || error.message);
  return checked(JSON.parse(stdout) as T);
}

function checked<T extends LoadResult>(result: T): T {
  if (result.corrupt !== 0) throw new Error('a byte came back wrong');
  if (result.lost !== 0) throw new Error(`${result.lost} messages never came back`);
  return result;
}

/** Loads a server on this host for `seconds`, from this core, or (null) from any. */
export function load(
  port: number,
  { conns, size, depth }: StreamLoad,
  seconds: number,
  core: number | null = 1,
): Promise<LoadResult> {
  return run(streamGenerator(), port, [conns, size, depth, seconds], core);
}

/** Connects, makes one round trip of `size` bytes and closes, `conns` at any time. */
export function churn(port: number, conns: number, size: number, seconds: number): Promise<LoadResult> {
  return run([compile('benchmark/load/churn.c')], port, [conns, size, seconds]);
}

/** Sends `rate` messages a second over `conns` connections, whatever the server does. */
export function paced(
  port: number,
  conns: number,
  size: number,
  rate: number,
  seconds: number,
): Promise<PacedResult> {
  return run([compile('benchmark/load/paced.c')], port, [conns, size, rate, seconds]);
}

/** Opens `conns` connections, and calls `measure` while they are idle. */
export async function whileIdle<T>(
  port: number,
  conns: number,
  size: number,
  measure: () => Promise<T>,
): Promise<T> {
  const command = [compile('benchmark/load/idle.c'), '127.0.0.1', port, conns, size].map(String);
  const [program, ...args] = onCore(1, command);
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', data => {
    errors += data;
  });
  const exited = new Promise<void>(resolve => child.once('close', () => resolve()));
  try {
    const line = await Promise.race([
      new Promise<string>(resolve => createInterface(child.stdout).once('line', resolve)),
      exited.then(() => Promise.reject(new Error(errors.trim() || 'the load has ended'))),
    ]);
    checked(JSON.parse(line) as LoadResult);
    return await measure();
  } finally {
    child.stdin.end();
    await exited;
  }
}
