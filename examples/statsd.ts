/**
 * A small statsd: `node dist/examples/statsd.js [port] [host]`.
 * It sums counters (`name:value|c`) and keeps gauges (`name:value|g`), one per line, and answers the datagram `?` with
 * all of them.
 */
import { bind } from 'uasync/net';

const [port = '8125', host = '127.0.0.1'] = process.argv.slice(2);

const values = new Map<string, number>();

function note(line: string): void {
  const match = /^([^:|]+):(-?[\d.]+)\|([cg])$/.exec(line);
  if (match === null) return;
  const [, name, number, kind] = match as unknown as [string, string, string, string];
  const before = kind === 'c' ? (values.get(name) ?? 0) : 0;
  values.set(name, before + Number(number));
}

function report(): string {
  return [...values].map(([name, value]) => `${name} ${value}\n`).join('');
}

const socket = await bind({ port: Number(port), host, recvBufferSize: 1 << 22, queueLimit: 100_000 });
const { address, port: bound } = socket.address;
console.log(`listening on ${address}:${bound}`);

for (;;) {
  for (const { data, address, port } of await socket.recvMany()) {
    const text = data.toString();
    if (text === '?') socket.send(report(), port, address).catch(console.error);
    else text.split('\n').forEach(note);
  }
}
