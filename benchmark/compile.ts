/** Small C and Go programs of this folder, compiled on first use into the build. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url);

/** A file of the sources, by its path from the project's folder. */
export function sourceFile(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/** The compiled script of a TypeScript source, by that source's path. */
export function script(source: string): string {
  return fileURLToPath(new URL(`dist/${source.replace(/\.ts$/, '.js')}`, root));
}

/** When any file beside the source was last changed: headers count too. */
function changed(source: string): number {
  const folder = dirname(source);
  const files = readdirSync(folder).filter(name => /\.(c|h|go)$/.test(name));
  return Math.max(...files.map(name => statSync(`${folder}/${name}`).mtimeMs));
}

/**
 * The program of a C or Go source of this project, compiled if it is older.
 * @throws Error with what the compiler said, or that there is none.
 */
export function compile(path: string, ...libraries: string[]): string {
  const source = sourceFile(path);
  const binary = sourceFile(`dist/${path.slice(0, -extname(path).length)}`);
  if (existsSync(binary) && statSync(binary).mtimeMs > changed(source)) return binary;
  mkdirSync(dirname(binary), { recursive: true });
  const [program, ...args] = source.endsWith('.go')
    ? ['go', 'build', '-o', binary, source]
    : ['cc', '-O2', '-o', binary, source, ...libraries.map(name => `-l${name}`)];
  const { status, error, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
  if (error !== undefined) throw new Error(`${program} is not installed`);
  if (status !== 0) throw new Error(`${basename(path)} does not compile: ${stderr.trim().split('\n')[0]}`);
  return binary;
}
