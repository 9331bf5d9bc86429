/** The load generators: in C, or without a compiler on the ring of another process. */
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { compile, script } from './compile.js';
import { LOAD_CORE, startProgram } from './processes.js';
import { type LatencyCount, NotInstalled } from './scenario.js';

/** The counts of a generator's run. */
export interface LoadResult {
  /** Messages that came back complete; or connections, if each has only one. */
  ops: number;
  seconds: number;
  /** CPU seconds of the generator itself. */
  cpu: number;
  /** Positions where a byte differed from the sent one. */
  corrupt: number;
  /** Messages that never came back. */
  lost: number;
  /** Datagrams that came back after they were counted as lost. */
  late: number;
  /** Messages that were sent more than a millisecond late. */
  tardy: number;
  latencies: LatencyCount[];
}

/** A server on this host, and the core of the load: null is any. */
export interface Target {
  port: number;
  core?: number | null;
  /** Called once the server has answered on each connection, and when all is counted and they are still open. */
  onEstablished?: () => void;
  onCounted?: () => void;
}

/** `conns` connections, or sockets, each with `depth` messages of `size` bytes in flight. */
export interface Shape {
  conns: number;
  size: number;
  depth: number;
}

/** A fixed rate, independent of the server: messages per second over all connections. */
export interface PacedShape {
  protocol: 'tcp' | 'udp';
  conns: number;
  size: number;
  rate: number;
}

/** What makes a load wait at each step. */
const STEPS = { UASYNC_LOAD_STEPS: '1' };

let language: 'C' | 'JavaScript' | undefined;

/** The language of the generators. */
export function generatorLanguage(): 'C' | 'JavaScript' {
  if (language === undefined) {
    try {
      compile('benchmark/load/stream.c');
      language = 'C';
    } catch {
      language = 'JavaScript';
    }
  }
  return language;
}

const NO_COMPILER = 'the load is in C, and there is no C compiler';

function command(name: string): string[] {
  if (generatorLanguage() === 'C') return [compile(`benchmark/load/${name}.c`)];
  const path = script(`benchmark/load/${name}.ts`);
  if (!existsSync(path)) throw new NotInstalled(NO_COMPILER);
  return [process.execPath, path];
}

function checked(result: LoadResult): LoadResult {
  if (result.corrupt !== 0) throw new Error('a byte came back wrong');
  return result;
}

/** Runs a generator; rejects with the problem if it fails or a byte was wrong. */
async function run(
  name: string,
  { port, core = LOAD_CORE, onEstablished, onCounted }: Target,
  numbers: (string | number)[],
  before: string[] = [],
): Promise<LoadResult> {
  const args = [...before, '127.0.0.1', port, ...numbers].map(String);
  const { child, errors, exited } = startProgram([...command(name), ...args], core, STEPS);
  let result: LoadResult | undefined;
  createInterface(child.stdout!).on('line', line => {
    if (line === 'ready') onEstablished?.();
    else {
      result = JSON.parse(line) as LoadResult;
      onCounted?.();
    }
    child.stdin!.write('\n');
  });
  await exited;
  if (result === undefined) throw new Error(errors() || `the load has ended with ${child.exitCode}`);
  return checked(result);
}

/** A stream loses nothing. */
function nothingLost(result: LoadResult): LoadResult {
  if (result.lost !== 0) throw new Error(`${result.lost} messages never came back`);
  return result;
}

/** Datagrams may be lost, but not all of them. */
function someBack(result: LoadResult): LoadResult {
  if (result.ops === 0) throw new Error('nothing came back');
  return result;
}

/** Messages over TCP for `seconds`. */
export async function stream(
  target: Target,
  { conns, size, depth }: Shape,
  seconds: number,
): Promise<LoadResult> {
  return nothingLost(await run('stream', target, [conns, size, depth, seconds]));
}

/** Datagrams over UDP for `seconds`; lost ones are counted, and sent again. */
export async function datagrams(
  target: Target,
  { conns, size, depth }: Shape,
  seconds: number,
): Promise<LoadResult> {
  return someBack(await run('datagram', target, [conns, size, depth, seconds]));
}

/** Connects, makes one round trip of `size` bytes and closes, with `conns` connections at a time. */
export async function churn(
  target: Target,
  conns: number,
  size: number,
  seconds: number,
): Promise<LoadResult> {
  return nothingLost(await run('churn', target, [conns, size, seconds]));
}

/** Messages at a fixed rate: latencies count from when each was due. */
export async function paced(
  target: Target,
  { protocol, conns, size, rate }: PacedShape,
  seconds: number,
): Promise<LoadResult> {
  const result = await run('paced', target, [conns, size, rate, seconds], [protocol]);
  return protocol === 'tcp' ? nothingLost(result) : someBack(result);
}

/** What HTTP requests look like. */
export interface HttpShape {
  conns: number;
  /** The expected body of the answer. */
  body: string;
  /** By default `GET /`. */
  request?: string;
  /** How many requests each connection has in flight, pipelined; default 1. */
  depth?: number;
  /** Requests a second over all connections, which do not wait for answers; latencies count from when each was due. */
  rate?: number;
}

/** The request of an `HttpShape` without one. */
export const GET =
  'GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\nX-Request-Id: 00000000\r\n\r\n';

/** HTTP requests over connections that stay open. */
export async function http(
  target: Target,
  { conns, body, request = GET, depth = 1, rate }: HttpShape,
  seconds: number,
): Promise<LoadResult> {
  if (rate !== undefined && generatorLanguage() !== 'C') throw new NotInstalled(NO_COMPILER);
  const pace = rate === undefined ? [] : [rate];
  return nothingLost(await run('http', target, [conns, body, seconds, request, depth, ...pace]));
}

/** Requests of any kind, each with the next of 10,000 numbers in place of every `00000000`; the answer has the same. */
export interface ExchangeShape {
  conns: number;
  request: string;
  answer: string;
  /** How many requests each connection has in flight; default 1. */
  depth?: number;
}

/** Requests whose answer is known, over connections that stay open. There is no generator in JavaScript for them. */
export async function exchange(
  target: Target,
  { conns, request, answer, depth = 1 }: ExchangeShape,
  seconds: number,
): Promise<LoadResult> {
  return nothingLost(await run('exchange', target, [conns, request, answer, depth, seconds]));
}

/** Large bodies: files or streams of `size` bytes that are downloaded, or streams that are uploaded. */
export interface BodyShape {
  conns: number;
  method: 'get' | 'post';
  path: string;
  size: number;
}

/** HTTP requests with large bodies, over connections that stay open. There is no generator in JavaScript for them. */
export async function bodies(
  target: Target,
  { conns, method, path, size }: BodyShape,
  seconds: number,
): Promise<LoadResult> {
  return nothingLost(await run('bodies', target, [conns, method, path, size, seconds]));
}

/** Opens `conns` connections, makes a round trip on each, and calls `measure` while they are idle. */
export async function whileIdle<T>(
  { port, core = LOAD_CORE }: Target,
  { conns, size, request }: { conns: number; size: number; request?: string | undefined },
  measure: (opened: LoadResult) => Promise<T>,
): Promise<T> {
  const args = ['127.0.0.1', port, conns, size, ...(request === undefined ? [] : [request])].map(String);
  const { child, errors, exited } = startProgram([...command('idle'), ...args], core);
  try {
    const line = await Promise.race([
      new Promise<string>(resolve => createInterface(child.stdout!).once('line', resolve)),
      exited.then(() => Promise.reject(new Error(errors() || 'the load has ended'))),
    ]);
    return await measure(checked(JSON.parse(line) as LoadResult));
  } finally {
    child.stdin!.end();
    await exited;
  }
}
