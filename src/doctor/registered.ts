/** What `node --import uasync/register` would do here. */
import { faultOfDgram } from '../node/datagram-self-test.js';
import { faultOfFiles } from '../node/file-handles.js';
import { faultOfNet } from '../node/self-test.js';
import { fromEnvironment } from '../node/settings.js';

/** One of Node's modules: what its users know it by, and the word that `UASYNC_REGISTER` has for it. */
export interface Registered {
  what: string;
  word: 'net' | 'dgram' | 'fs';
  /** Whether it would be on the loop, as the environment or the default says. */
  wanted: boolean;
  /** Why it cannot be, on this Node; null if it can. */
  fault: string | null;
}

/** Each of them. It runs the self-tests that `register` runs before it puts one on the loop. */
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
