/** Fresh projects in temporary folders, for programs that try the package. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** What a command may take, in milliseconds: npm waits for a registry, too. */
const TIMEOUT = 900_000;

/** A folder with files, in which commands run. */
export class Project {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(folder: string, files: Record<string, string>, env: NodeJS.ProcessEnv = process.env) {
    this.folder = folder;
    this.#env = env;
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  /** Runs a command; what it prints. */
  async run(command: string, ...args: string[]): Promise<string> {
    try {
      const options = { cwd: this.folder, env: this.#env, timeout: TIMEOUT, maxBuffer: 16 << 20 };
      return (await promisify(execFile)(command, args, options)).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      const told = `${stdout ?? ''}${stderr ?? ''}`.slice(-2000);
      throw new Error(`${[command, ...args].join(' ')} failed:\n${told || String(error)}`);
    }
  }

  /** Runs a program of this folder by this Node; fails unless it prints this. */
  async prints(expected: string, ...args: string[]): Promise<void> {
    const printed = await this.run(process.execPath, ...args);
    if (!printed.includes(expected))
      throw new Error(`${args.join(' ')} printed\n${printed}\nnot ${expected}`);
  }
}

/** A socket, a file and a thread; prints 'Linux'. */
export const THREADS = `
import { readFile } from 'uasync/fs';
import { connect, serveOnThreads } from 'uasync/net';
const server = await serveOnThreads(1, new URL('./worker.js', import.meta.url));
const client = await connect(server.address);
await client.write(await readFile('/proc/version'));
console.log(String(await client.readExactly(5)));
await client.close();
await server.stop();
`;

export const WORKER = `
import { sleep } from 'uasync';
export default async function serve({ listen }) {
  await sleep(1);
  for await (const conn of await listen({ port: 0, host: '127.0.0.1' })) await conn.write(await conn.read());
}
`;

/** The same of CommonJS, without a thread. */
export const COMMONJS = `
const { readFile } = require('uasync/fs');
readFile('/proc/version', 'latin1').then(text => console.log(text.slice(0, 5)));
`;
