/** Modules of threads that are written anew between restarts, and connections to them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServeOptions, serveOnThreads, type ThreadServer } from 'uasync/net';
import { scratchFolder } from './harness.js';
import { ask, closed, open } from './thread-server.js';

const folder = scratchFolder();
let modules = 0;

/** A module that can be written anew. */
export class Module {
  readonly path = join(folder, `module-${modules++}.mjs`);

  constructor(version: string, before = '') {
    this.write(version, before);
  }

  /** It answers 'version' and 'stopping', and echoes the rest. `before` is done before it listens. */
  write(version: string, before = '', port = 0): void {
    writeFileSync(
      this.path,
      `async function answer(conn, signal) {
        for await (const chunk of conn) {
          const text = String(chunk);
          await conn.write(text === 'version' ? '${version}' : text === 'stopping' ? String(signal.aborted) : chunk);
        }
      }
      export default async function serve({ listen, signal, channel, data }) {
        ${before}
        const server = await listen({ port: ${port}, host: '127.0.0.1' });
        (async () => {
          for await (const _ of channel) setImmediate(() => { throw new Error('told to crash'); });
        })();
        for await (const conn of server) answer(conn, signal).catch(() => {});
      }`,
    );
  }

  serve(threads: number, options?: ServeOptions): Promise<ThreadServer> {
    return serveOnThreads(threads, this.path, options);
  }
}

/** Opens a connection, asks and closes it. */
export async function askOnce(port: number, text: string): Promise<string> {
  const socket = await open(port);
  try {
    return await ask(socket, text);
  } finally {
    await closed(socket);
  }
}
