/** Server programs that the tests of one file share, where each connection is a new start for them. */
import t from 'tap';
import { serve } from './programs.js';

const servers = new Map<string, Promise<number>>();

/** The port of a server that runs until the test file ends. */
export function sharedServer(script: string, ...args: string[]): Promise<number> {
  const key = [script, ...args].join(' ');
  let port = servers.get(key);
  if (port === undefined) {
    port = start(script, args);
    servers.set(key, port);
  }
  return port;
}

async function start(script: string, args: string[]): Promise<number> {
  const { port, child } = await serve(script, ...args);
  t.teardown(() => child.kill('SIGKILL'));
  return port;
}
