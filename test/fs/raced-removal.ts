/** Removals of a tree whose directories another thread swaps for links to a directory that is none of it. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { built } from '../programs.js';

const ROUNDS = 20;
const FILES = 20;

export interface Race {
  /** How many files the links led to, and how many of them are left. */
  readonly files: number;
  readonly left: number;
  /** How many removals went through, and the codes of the others. */
  readonly removed: number;
  readonly codes: string[];
}

/** Removes the tree `folder`/raced again and again; at the end it is gone. */
export async function raceRemoval(folder: string, rm: typeof nodeFs.promises.rm): Promise<Race> {
  const victim = join(folder, 'victim');
  nodeFs.mkdirSync(victim, { recursive: true });
  for (let i = 0; i < FILES; i++) nodeFs.writeFileSync(join(victim, `${i}`), '');
  const at = join(folder, 'raced');
  const state = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(built('test/fixtures/swaps-worker.js'), { workerData: { at, victim, state } });
  while (Atomics.load(state, 1) === 0) await new Promise(resolve => setTimeout(resolve, 5));
  let removed = 0;
  const codes: string[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    for (const name of ['a', 'b', 'c']) {
      try {
        nodeFs.mkdirSync(join(at, name, 'deeper'), { recursive: true });
        for (let file = 0; file < 10; file++) nodeFs.writeFileSync(join(at, name, 'deeper', `${file}`), '');
      } catch {
        // It has been swapped just now.
      }
    }
    try {
      await rm(at, { recursive: true, force: true });
      removed++;
    } catch (error) {
      codes.push((error as { code: string }).code);
    }
  }
  Atomics.store(state, 0, 1);
  await worker.terminate();
  await rm(at, { recursive: true, force: true });
  const left = nodeFs.readdirSync(victim).filter(name => !Number.isNaN(Number(name))).length;
  return { files: FILES, left, removed, codes };
}
