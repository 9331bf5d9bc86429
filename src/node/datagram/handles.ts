/** Handles for `dgram.Socket`, and whether they fit the running Node. Loaded with the first socket. */
import cluster from 'node:cluster';
import type { Socket } from 'node:dgram';
import { DatagramBuffers } from '../../net/datagram/buffers.js';
import { availableLoop } from '../available.js';
import { bridgeChildProcesses } from '../bridges/child-processes.js';
import { countAs } from '../bridges/instance-of.js';
import { bindings, ownerSymbol, symbolOf } from '../natives.js';
import { fitting } from '../ready.js';
import { faultOfDatagrams } from './self-test.js';
import type { DatagramState } from './state.js';
import { UdpHandle } from './udp-handle.js';

/** The native handle of a new socket. */
interface Native {
  lookup: unknown;
  bind: unknown;
  bind6: unknown;
  close(): void;
}

const datagramsFit = fitting('node:dgram', faultOfDatagrams, () => {
  bridgeChildProcesses();
  countAs(bindings().UDP, UdpHandle);
});

/**
 * Gives a new socket a handle on the loop. Workers of a cluster keep Node's handles, which they share. @param sample a
 * socket for the self-test.
 */
export function giveHandle(socket: Socket, state: DatagramState, sample: Socket): void {
  const native = state.handle as unknown as Native;
  if (cluster.isWorker || !datagramsFit(socket, state, sample)) return;
  const loop = availableLoop(DatagramBuffers);
  if (loop === null) return;
  const handle = new UdpHandle(loop);
  const own = handle as unknown as Record<PropertyKey, unknown>;
  own.lookup = native.lookup;
  if (native.bind === native.bind6) {
    own.bind = handle.bind6;
    own.connect = handle.connect6;
    own.send = handle.send6;
  }
  own[ownerSymbol()!] = socket;
  const asyncId = symbolOf(socket, 'async_id_symbol');
  if (asyncId !== undefined) (socket as unknown as Record<symbol, number>)[asyncId] = handle.getAsyncId();
  state.handle = handle;
  native.close();
}
