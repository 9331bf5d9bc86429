/** The cost of starting: processes that import, do one thing, and end. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '../program.js';
import type { Scenario } from '../scenario.js';

/** Node keeps compiled code there. Node 22.1 */
const NODE_COMPILE_CACHE = join(tmpdir(), 'uasync-benchmark-code');

const IMPORT = {
  uasync: "import { readFile } from 'uasync/fs';",
  node: "import { readFile } from 'node:fs/promises';",
  none: '',
};

const READ = "await readFile('package.json');";

const LISTEN = {
  uasync: `
    import { listen } from 'uasync/net';
    await (await listen({ port: 0, host: '127.0.0.1' })).close();`,
  node: `
    import { createServer } from 'node:net';
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    await new Promise(resolve => server.close(resolve));`,
};

const SERVE = {
  uasync: `
    import { Response, serve } from 'uasync/http';
    const server = await serve({ port: 0, host: '127.0.0.1', fetch: () => new Response('') });
    await server.stop();`,
  node: `
    import { createServer } from 'node:http';
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    await new Promise(resolve => server.close(resolve));`,
};

function scenario(
  name: string,
  title: string,
  sources: { uasync: string } & Record<string, string>,
): Scenario {
  const { uasync, ...peers } = sources;
  const contenders = [
    program('uasync', uasync),
    program('uasync-cached', uasync, { NODE_COMPILE_CACHE }),
    ...Object.entries(peers).map(([whose, source]) => program(whose, source)),
  ];
  return { name: `start.${name}`, title, operation: 'process', contenders };
}

export const start: Scenario[] = [
  scenario('import', 'a process that imports the files API; none: one that imports nothing', IMPORT),
  scenario('readfile', 'the same, and reads one file', {
    uasync: IMPORT.uasync + READ,
    node: IMPORT.node + READ,
  }),
  scenario('listen', 'a process that imports the sockets API, and listens once', LISTEN),
  scenario('http', 'a process that imports the HTTP server, and starts and stops it', SERVE),
];
