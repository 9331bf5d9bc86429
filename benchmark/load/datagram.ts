/** `node datagram.js HOST PORT SOCKS SIZE DEPTH SECONDS`: see datagram.c. */
import { bind } from 'uasync/net';
import { pattern } from '../pattern.js';
import { Counts, GRACE, together } from './client.js';

const [host = '', ...numbers] = process.argv.slice(2);
const [port = 0, socks = 1, size = 16, depth = 1, seconds = 1] = numbers.map(Number);
const ROOM = 1 << 22;

const bytes = pattern(size + 4096);
const counts = new Counts();
const end = counts.start + seconds * 1000;

/** Starts with its number, if there is room for it; the following pattern depends on the number. */
function datagram(serial: number, index: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(serial);
  head.writeUInt32LE(index, 8);
  const from = (serial + index) % 4093;
  return Buffer.concat([head, bytes.subarray(from, from + size)]).subarray(0, size);
}

async function drive(index: number): Promise<void> {
  const socket = await bind({ host, recvBufferSize: ROOM, sendBufferSize: ROOM });
  await socket.connect(port, host);
  const underWay = new Map<number, number>();
  let serial = 0;
  let lost = 0;
  const send = (): void => {
    if (performance.now() >= end) return;
    underWay.set(serial, performance.now());
    // ECONNREFUSED: the server has ended, which is detected elsewhere.
    socket.send(datagram(serial++, index)).catch(() => {});
  };
  for (let i = 0; i < depth; i++) send();
  const giveUp = setInterval(() => {
    for (const [number, sentAt] of underWay) {
      // It is lost, and another one is sent.
      if (performance.now() - sentAt < GRACE) continue;
      underWay.delete(number);
      lost++;
      send();
    }
    // At the end, datagrams in flight come back or are lost: a later run may have the same port.
    if (performance.now() >= end && underWay.size === 0) socket.close();
  }, 50);
  for await (const { data } of socket) {
    // If it is too short for its number, it can only be the one in flight.
    const number = data.length >= 4 ? data.readUInt32LE() : serial - 1;
    const sentAt = underWay.get(number);
    if (number < serial && data.equals(datagram(number, index))) {
      if (sentAt === undefined) {
        counts.late++;
        continue;
      }
      counts.done(performance.now() - sentAt);
      underWay.delete(number);
      send();
    } else if (size < 4 && lost !== 0) counts.late++;
    else {
      counts.corrupt++;
      break;
    }
  }
  clearInterval(giveUp);
  counts.lost += lost;
}

await together(socks, drive);
await counts.print(false);
