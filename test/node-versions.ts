/** Other versions of Node, which npm provides. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from './programs.js';

export interface NodeVersion {
  /** Its executable. */
  program: string;
  /** An environment in which `node` is this one. */
  env: NodeJS.ProcessEnv;
}

/** The Node that runs this program. */
export const THIS_NODE: NodeVersion = { program: process.execPath, env: process.env };

/** The newest Node of a version such as `26` or `20.19`, installed by npm if it is not there yet. */
export function nodeOfVersion(version: string): NodeVersion {
  const name = `node-linux-${process.arch}`;
  // npm leaves hidden folders alone.
  const folder = join(ROOT, 'node_modules', '.nodes', version);
  const bin = join(folder, 'node_modules', name, 'bin');
  if (!existsSync(join(bin, 'node'))) {
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', ['install', '--prefix', folder, ...quiet, `${name}@${version}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return {
    program: join(bin, 'node'),
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  };
}
