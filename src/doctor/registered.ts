/** The effect of `node --import uasync/register` here. */
import { faultOfDgram } from '../node/datagram/self-test.js';
import { faultOfFiles } from '../node/files/file-handles.js';
import { fromEnvironment } from '../node/settings.js';
import { faultOfNet } from '../node/stream/self-test.js';

/** One of Node's modules: its name, and its word for `UASYNC_REGISTER`. */
export interface Registered {
  what: string;
  word: 'net' | 'dgram' | 'fs';
  /** Whether it would be on the loop, according to the environment or the default. */
  wanted: boolean;
  /** The reason why it cannot be on the loop with this Node; null if it can. */
  fault: string | null;
}

/** All of them. Runs the self-tests that `register` runs before it puts a module on the loop. */
export async function registered(): Promise<Registered[]> {
  const wanted = fromEnvironment(process.env.UASYNC_REGISTER) ?? {};
  return [
    {
      what: "Node's own sockets and servers",
      word: 'net',
      wanted: Boolean(wanted.servers || wanted.clients),
      fault: faultOfNet(),
    },
    { what: 'node:dgram', word: 'dgram', wanted: Boolean(wanted.dgram), fault: faultOfDgram() },
    { what: 'fs.promises', word: 'fs', wanted: Boolean(wanted.fs), fault: await faultOfFiles() },
  ];
}
