/** Random trees with everything that a tree may have, the same again for the same random numbers. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import nodeFs from 'node:fs';
import { join } from 'node:path';

export interface Kinds {
  /** FIFOs. */
  readonly special?: boolean;
  /** Names that are not UTF-8. */
  readonly bytes?: boolean;
  /** Symbolic links. */
  readonly links?: boolean;
}

const NAMES = [
  'a',
  'b',
  'c.js',
  'd e',
  '.hidden',
  'é',
  'ￗ',
  '😀',
  'Z',
  'file.txt',
  'x'.repeat(200),
  '-rf',
  '*',
];
const TARGETS = ['a', 'b', '..', '../a', 'missing', 'b/a', '.', '/dev/null', 'é', 'loop'];

/** Makes what a random tree holds in the directory `at`, which is empty. */
export function makeTree(at: string, random: () => number, kinds: Kinds = {}, depth = 4): void {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const count = Math.floor(random() * 9);
  for (let i = 0; i < count; i++) {
    const path = join(at, pick(NAMES));
    // Each takes the same random numbers, whatever it is.
    const [kind, size, mode, target] = [random(), random(), random(), pick(TARGETS)];
    if (nodeFs.lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    if (kind < 0.35 && depth > 0) {
      nodeFs.mkdirSync(path);
      makeTree(path, random, kinds, depth - 1);
      if (mode < 0.2) nodeFs.chmodSync(path, 0o750);
    } else if (kind < 0.5 && kinds.links) nodeFs.symlinkSync(target, path);
    else if (kind < 0.55 && kinds.special) execFileSync('mkfifo', [path]);
    else if (kind < 0.6 && kinds.bytes) {
      nodeFs.writeFileSync(Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0xff, 0x61, 0xc3])]), '');
    } else {
      nodeFs.writeFileSync(path, Buffer.alloc(Math.floor(size ** 20 * 600_000), path.at(-1)), {
        mode: mode < 0.3 ? 0o600 : mode < 0.4 ? 0o444 : mode < 0.5 ? 0o777 : 0o644,
      });
    }
  }
}

/** Copies a tree without FIFOs, with modes and the times of files, whatever the bytes of its names. */
export function duplicateTree(from: string | Buffer, to: string | Buffer): void {
  nodeFs.mkdirSync(to);
  for (const name of nodeFs.readdirSync(from as string, 'buffer') as unknown as Buffer[]) {
    const [source, copy] = [from, to].map(at => Buffer.concat([Buffer.from(at), Buffer.from('/'), name]));
    const stats = nodeFs.lstatSync(source!);
    if (stats.isDirectory()) {
      duplicateTree(source!, copy!);
    } else if (stats.isSymbolicLink()) {
      nodeFs.symlinkSync(nodeFs.readlinkSync(source!, 'buffer'), copy!);
    } else {
      nodeFs.copyFileSync(source!, copy!);
      nodeFs.chmodSync(copy!, stats.mode);
      nodeFs.utimesSync(copy!, stats.atime, stats.mtime);
    }
  }
  nodeFs.chmodSync(to, nodeFs.statSync(from).mode);
}

/** All that is in a tree, by paths whose bytes are Latin-1: kinds, modes, contents, links. */
export function treeOf(at: string, times = false): Record<string, unknown> {
  const tree: Record<string, unknown> = {};
  const visit = (path: Buffer, below: string): void => {
    for (const name of nodeFs.readdirSync(path, 'buffer')) {
      const inner = Buffer.concat([path, Buffer.from('/'), name]);
      const stats = nodeFs.lstatSync(inner);
      const content = stats.isFile()
        ? contentOf(inner, stats.size)
        : stats.isSymbolicLink() && nodeFs.readlinkSync(inner);
      const { mode, mtimeMs } = stats;
      // Others have the time at which they were made.
      const kept = times && mtimeMs < Date.now() - 3_600_000;
      tree[`${below}${name.toString('latin1')}`] = { mode, content, ...(kept ? { mtimeMs } : {}) };
      if (stats.isDirectory()) visit(inner, `${below}${name.toString('latin1')}/`);
    }
  };
  visit(Buffer.from(at), '');
  return tree;
}

/** A short account of what a file holds. */
function contentOf(path: Buffer, size: number): string {
  const bytes = size > 1 << 20 ? Buffer.alloc(0) : nodeFs.readFileSync(path);
  return `${size} ${createHash('sha1').update(bytes).digest('hex')}`;
}
