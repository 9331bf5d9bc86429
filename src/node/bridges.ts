import { bridgeChildProcesses } from './child-processes.js';
import { guardParser } from './http-parser.js';
import { countAsNative } from './instance-of.js';
import { bridgeWrites } from './socket-writes.js';
import { bridgeTls } from './tls-bridge.js';

/** What must be so before any socket has a handle on the loop: where Node hands it to native code it is bridged. */
export function bridge(): void {
  countAsNative();
  bridgeTls();
  bridgeChildProcesses();
  guardParser();
  bridgeWrites();
}
