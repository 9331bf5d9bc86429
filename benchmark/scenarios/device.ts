/**
 * Reads that go to the device: with O_DIRECT, or with a page cache that has no page of the file; and the memory that a
 * long read takes. Node and Bun have no aligned memory, so they have no O_DIRECT.
 */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../compile.js';
import { fio, program } from '../contenders.js';
import { node, onEpoll } from '../peers.js';
import type { Contender, Scenario } from '../scenario.js';
import { files } from './fs-files.js';

interface Shape {
  block: number;
  atATime: number;
  order: 'random' | 'sequential';
  mode: 'direct' | 'cold';
}

const large = (): string => join(files(), 'large');

let synced = false;

/** Removes the file from the page cache, in which no page of it may be dirty. */
async function cool(): Promise<void> {
  if (!synced) {
    const fd = openSync(large(), 'r');
    fsyncSync(fd);
    closeSync(fd);
    synced = true;
  }
  // Without io_uring, the other contenders still run.
  const { open } = await import('uasync/fs');
  await using file = await open(large());
  await file.fadvise('dontneed');
}

function contenders({ block, atATime, order, mode }: Shape, ways: string[]): Contender[] {
  const before = mode === 'cold' ? cool : undefined;
  const args = (seconds: number): string[] => [
    large(),
    ...[block, atATime, seconds, order, mode].map(String),
  ];
  return [
    program('c-uring', s => [compile('benchmark/peers/fs/one-file.c', 'uring'), ...args(s)], before),
    ...ways.flatMap(way => {
      const command = (s: number): string[] => node('benchmark/peers/fs/one-file.ts', way, ...args(s));
      const itself = program(way, command, before);
      return way === 'uasync'
        ? [itself, program('uasync-epoll', s => onEpoll(command(s)), before)]
        : [itself];
    }),
    fio('fio-uring', {
      ...{ path: large, engine: 'io_uring', depth: atATime, block, order, before, once: mode === 'cold' },
      extra: ['--fixedbufs', '--registerfiles', `--direct=${mode === 'direct' ? 1 : 0}`],
    }),
  ];
}

function reads(name: string, title: string, shape: Shape, ways: string[]): Scenario {
  return { name, title, operation: 'read', contenders: contenders(shape, ways) };
}

const CHUNK = { block: 128 << 10, order: 'sequential' } as const;
const SMALL = { block: 4096, order: 'random' } as const;

export const device: Scenario[] = [
  ...[1, 32, 256].map(atATime =>
    reads(
      `device.direct.${atATime}`,
      `O_DIRECT, 4 KiB at random, ${atATime} at a time`,
      { ...SMALL, atATime, mode: 'direct' },
      ['uasync'],
    ),
  ),
  reads(
    'device.direct.sequential',
    'O_DIRECT, 128 KiB in order, 8 at a time',
    { ...CHUNK, atATime: 8, mode: 'direct' },
    ['uasync', 'uasync-lease'],
  ),
  reads(
    'device.cold.random',
    'cold cache, 4 KiB at random, 32 at a time',
    { ...SMALL, atATime: 32, mode: 'cold' },
    ['uasync', 'node'],
  ),
  reads(
    'device.cold.sequential',
    'cold cache, 128 KiB in order, 4 at a time',
    { ...CHUNK, atATime: 4, mode: 'cold' },
    ['uasync', 'uasync-pinned', 'uasync-lease', 'node', 'node-sync'],
  ),
];
