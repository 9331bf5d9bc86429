/** The load generator for stream echo servers: C where there is a compiler, else JavaScript on the ring. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { onCore } from './processes.js';

/** What a run of the generator has counted. */
export interface LoadResult {
  /** Messages that came back whole. */
  ops: number;
  seconds: number;
  /** CPU seconds of the generator itself. */
  cpu: number;
  /** Places where a byte was not the one sent. */
  corrupt: number;
}

/** `conns` connections, each with `depth` messages of `size` bytes under way. */
export interface StreamLoad {
  conns: number;
  size: number;
  depth: number;
}

const root = new URL('../../', import.meta.url);
const source = fileURLToPath(new URL('benchmark/load/stream.c', root));
const binary = fileURLToPath(new URL('dist/benchmark/load/stream', root));
const script = fileURLToPath(new URL('dist/benchmark/load/stream.js', root));

function compile(): boolean {
  if (existsSync(binary) && statSync(binary).mtimeMs > statSync(source).mtimeMs) return true;
  mkdirSync(fileURLToPath(new URL('dist/benchmark/load', root)), { recursive: true });
  return spawnSync('cc', ['-O2', '-o', binary, source], { stdio: 'ignore' }).status === 0;
}

let command: string[] | undefined;

/** Which generator serves: 'C' or 'JavaScript'. */
export function generator(): 'C' | 'JavaScript' {
  command ??= compile() ? [binary] : [process.execPath, script];
  return command.length === 1 ? 'C' : 'JavaScript';
}

/** Loads a server on this host for `seconds`; rejects if a byte came back wrong. */
export async function load(
  port: number,
  { conns, size, depth }: StreamLoad,
  seconds: number,
): Promise<LoadResult> {
  generator();
  const args = ['127.0.0.1', port, conns, size, depth, seconds].map(String);
  const [program, ...rest] = onCore(1, [...command!, ...args]);
  const { stdout } = await promisify(execFile)(program!, rest);
  return JSON.parse(stdout) as LoadResult;
}
