/** Small C and Go programs of this folder, compiled on first use into the build. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NotInstalled } from './scenario.js';

const root = new URL('../../', import.meta.url);

/** A source file by its path from the project's folder. */
export function sourceFile(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/** The compiled script of a TypeScript source file. */
export function script(source: string): string {
  return fileURLToPath(new URL(`dist/${source.replace(/\.ts$/, '.js')}`, root));
}

/** The last change of a source file or of any header in its folder. */
function changed(source: string): number {
  const folder = sourceFile('benchmark');
  const headers = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.h') && !name.includes('node_modules'))
    .map(name => `${folder}/${name}`);
  return Math.max(...[source, ...headers].map(file => statSync(file).mtimeMs));
}

/**
 * The program of a C or Go source file, compiled if it is older than the source.
 * @throws NotInstalled with the compiler's message, or if there is no compiler.
 */
export function compile(path: string, ...libraries: string[]): string {
  const source = sourceFile(path);
  const binary = sourceFile(`dist/${path.slice(0, -extname(path).length)}`);
  if (existsSync(binary) && statSync(binary).mtimeMs > changed(source)) return binary;
  mkdirSync(dirname(binary), { recursive: true });
  // Another process may compile at the same time: each program appears complete.
  const unfinished = `${binary}.${process.pid}`;
  const [program, ...args] = source.endsWith('.go')
    ? ['go', 'build', '-o', unfinished, source]
    : ['cc', '-O2', '-o', unfinished, source, ...libraries.map(name => `-l${name}`)];
  const { status, error, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
  if (error !== undefined) throw new NotInstalled(`${program} is not installed`);
  if (status !== 0) {
    throw new NotInstalled(`${basename(path)} does not compile: ${stderr.trim().split('\n')[0]}`);
  }
  renameSync(unfinished, binary);
  return binary;
}
