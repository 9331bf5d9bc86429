/** Files with a warm page cache: the cost of each operation for the process. */
import { join } from 'node:path';
import { compile } from '../compile.js';
import { fio, ours, worker } from '../contenders.js';
import { bun, deno, node } from '../peers.js';
import type { Contender, Scenario } from '../scenario.js';
import { files, inMemory } from './fs-files.js';

const PROGRAM = 'benchmark/peers/fs/files.ts';
const CALLS = 'benchmark/peers/fs/calls.ts';
/** Operations that need no copy. */
const IN_PLACE = ['read', 'sequential'];

function contenders(work: string, atATime: number, folder: () => string): Contender[] {
  const args = (way: string): string[] => [way, work, folder(), String(atATime)];
  return [
    worker('c', () => [compile('benchmark/peers/fs/files.c'), work, folder()]),
    ...ours(() => node(PROGRAM, ...args('uasync'))),
    ...(IN_PLACE.includes(work) ? [worker('uasync-pinned', () => node(PROGRAM, ...args('pinned')))] : []),
    ...(work === 'sequential' ? [worker('uasync-lease', () => node(PROGRAM, ...args('lease')))] : []),
    worker('node', () => node(PROGRAM, ...args('promises'))),
    worker('node-sync', () => node(PROGRAM, ...args('sync'))),
    worker('bun', () => bun(PROGRAM, ...args('promises'))),
    worker('deno', () => deno(PROGRAM, ...args('promises'))),
  ];
}

function scenario(
  name: string,
  title: string,
  work: string,
  atATime: number,
  quick = false,
  folder = files,
): Scenario {
  return { name, title, operation: 'operation', quick, contenders: contenders(work, atATime, folder) };
}

function randomReads(depth: number, quick: boolean): Scenario {
  const reads = scenario(`fs.read.${depth}`, `4 KiB at random, ${depth} at a time`, 'read', depth, quick);
  const large = (): string => join(files(), 'large');
  reads.contenders.push(
    fio('fio-uring', { path: large, engine: 'io_uring', depth }),
    fio('fio-psync', { path: large, engine: 'psync', depth: 1 }),
  );
  return reads;
}

function trees(name: string, title: string, work: string): Scenario {
  const program = 'benchmark/peers/fs/trees.ts';
  const contenders = [
    ...ours(() => node(program, 'uasync', work, inMemory())),
    worker('node', () => node(program, 'promises', work, inMemory())),
    worker('node-sync', () => node(program, 'sync', work, inMemory())),
  ];
  return { name, title, operation: 'tree', quick: false, contenders };
}

/** Calls of every kind, one awaited after the other, as most programs make them. In memory, to exclude the disk. */
function oneAtATime(call: string, title: string, quick = false): Scenario {
  const args = (way: string): string[] => [way, call, inMemory()];
  const peers = [
    ...ours(() => node(CALLS, ...args('uasync'))),
    worker('node', () => node(CALLS, ...args('promises'))),
    worker('node-sync', () => node(CALLS, ...args('sync'))),
    worker('bun', () => bun(CALLS, ...args('promises'))),
    worker('deno', () => deno(CALLS, ...args('promises'))),
  ];
  return {
    name: `fs.one.${call}`,
    title: `${title}, one at a time`,
    operation: 'operation',
    quick,
    contenders: peers,
  };
}

export const fs: Scenario[] = [
  randomReads(1, true),
  randomReads(32, false),
  randomReads(64, true),
  randomReads(256, false),
  scenario('fs.readfile', 'readFile of 4 KiB, 64 at a time', 'readfile', 64, true),
  scenario('fs.stat', 'stat, 64 at a time', 'stat', 64, true),
  scenario('fs.rewrite', 'writeFile of 4 KiB over a file, 64 at a time', 'rewrite', 64),
  scenario('fs.writefile', 'writeFile of 4 KiB, a new file, 64 at a time', 'writefile', 64, true, inMemory),
  scenario('fs.sequential', 'read in chunks of 128 KiB', 'sequential', 1),
  trees('fs.tree.readdir', 'readdir of a tree of 1,776 entries', 'readdir'),
  trees('fs.tree.copy', 'cp of a tree of 1,776 entries, and rm of the copy', 'cp-rm'),
  scenario('fs.append-log', 'append 4 KiB and datasync, 64 writers', 'append-log', 64),
  oneAtATime('stat', 'stat', true),
  oneAtATime('access', 'access'),
  oneAtATime('open', 'open and close'),
  oneAtATime('read', 'read of 4 KiB'),
  oneAtATime('readfile', 'readFile of 2 KiB'),
  oneAtATime('write', 'write of 4 KiB', true),
  oneAtATime('append', 'appendFile of 100 B'),
  oneAtATime('writefile', 'writeFile of 2 KiB over a file'),
  oneAtATime('mkdir', 'mkdir and rmdir'),
  oneAtATime('rename', 'rename'),
  oneAtATime('unlink', 'a file made and removed'),
];
