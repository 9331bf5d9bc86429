/**
 * Clients of a soaked process, by node:net: each sends and checks what comes back. They may be stopped, cut off or
 * killed at any moment. What comes back changed ends this with 1.
 *
 * usage: outsider.js HOST PORT SEED
 */
import net from 'node:net';
import { randomFrom } from './random.js';

const [host, port, seed] = process.argv.slice(2) as [string, string, string];
const random = randomFrom(Number(seed));
const CLIENTS = 10;
/** The server resets on a `!`. */
const noise = Buffer.from(
  Uint8Array.from({ length: 400_000 }, (_, i) => 0x40 | ((i * 31 + (i >> 7)) & 0x3f)),
);

function converse(): void {
  const socket = net.connect({ port: Number(port), host });
  let expected = Buffer.alloc(0);
  let left = Math.ceil(random() * 50);
  const say = (): void => {
    if (left-- === 0) {
      if (random() < 0.3) socket.resetAndDestroy();
      else socket.end();
      return;
    }
    const from = Math.floor(random() * 200_000);
    expected = noise.subarray(from, from + 1 + Math.floor(200_000 ** random()));
    socket.write(expected);
  };
  socket.on('connect', say);
  socket.on('data', data => {
    if (!expected.subarray(0, data.length).equals(data)) {
      console.error('what came back is not what was sent');
      process.exit(1);
    }
    expected = expected.subarray(data.length);
    if (expected.length === 0) say();
  });
  // The server may be out of descriptors, or the link down.
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(converse, 50 + random() * 200));
}

for (let i = 0; i < CLIENTS; i++) converse();
process.once('disconnect', () => process.exit());
// It was during the imports.
if (!process.connected) process.exit();
