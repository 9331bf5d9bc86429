import { bridgeChildProcesses } from './child-processes.js';
import { guardParser } from './http-parser.js';
import { countAsNative } from './instance-of.js';
import { bridgeWrites } from './socket-writes.js';
import { bridgeTls } from './tls-bridge.js';

/**
 * Bridges the places where Node passes a socket to native code. Must run before any socket has a handle on the loop.
 */
export function bridge(): void {
  countAsNative();
  bridgeTls();
  bridgeChildProcesses();
  guardParser();
  bridgeWrites();
}
