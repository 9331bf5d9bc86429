/** Other versions of Node, from npm. */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { sourceFile } from './compile.js';

export interface NodeVersion {
  /** Its executable. */
  program: string;
  /** An environment in which `node` is this one. */
  env: NodeJS.ProcessEnv;
}

/** The Node that runs this program. */
export const THIS_NODE: NodeVersion = { program: process.execPath, env: process.env };

const PACKAGE = `node-linux-${process.arch}`;

/** The folder of an installed version. npm does not touch hidden folders. */
function folderOf(version: string): string {
  return sourceFile(`node_modules/.nodes/${version}`);
}

function binOf(version: string): string {
  return join(folderOf(version), 'node_modules', PACKAGE, 'bin');
}

/** The executable of a version, if it is installed. */
export function installedNode(version: string): string | undefined {
  const program = join(binOf(version), 'node');
  return existsSync(program) ? program : undefined;
}

/** Whether this program runs on a version such as `26` or `20.19`. */
export function isThisNode(version: string): boolean {
  return `${process.versions.node}.`.startsWith(`${version}.`);
}

/** The newest Node of a version such as `26` or `20.19`, installed by npm if necessary. */
export function nodeOfVersion(version: string): NodeVersion {
  const bin = binOf(version);
  if (installedNode(version) === undefined) {
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    try {
      execFileSync('npm', ['install', '--prefix', folderOf(version), ...quiet, `${PACKAGE}@${version}`], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
    } catch {
      rmSync(folderOf(version), { recursive: true, force: true });
      throw new Error(`Node ${version} could not be installed: see above`);
    }
  }
  return {
    program: join(bin, 'node'),
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  };
}
