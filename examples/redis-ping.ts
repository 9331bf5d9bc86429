/**
 * A Redis client in a few lines: pipelined PINGs and a SET and GET over RESP.
 * `node dist/examples/redis-ping.js [port] [host]`
 */
import { type Connection, connect } from 'uasync/net';

type Reply = string | number | null | Reply[];

/** A command as an array of bulk strings. */
function encode(parts: string[]): string {
  return `*${parts.length}\r\n${parts.map(part => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`;
}

/** The server's next reply. */
async function readReply(conn: Connection): Promise<Reply> {
  const line = (await conn.readUntil('\r\n')).toString().slice(0, -2);
  const rest = line.slice(1);
  switch (line[0]) {
    case '+':
      return rest;
    case '-':
      throw new Error(rest);
    case ':':
      return Number(rest);
    case '$': {
      const length = Number(rest);
      if (length < 0) return null;
      const bytes = await conn.readExactly(length + 2);
      return bytes.toString('utf8', 0, length);
    }
    case '*': {
      const replies: Reply[] = [];
      for (let left = Number(rest); left > 0; left--) replies.push(await readReply(conn));
      return replies;
    }
    default:
      throw new Error(`not RESP: ${line}`);
  }
}

const [port = '6379', host = '127.0.0.1'] = process.argv.slice(2);
const conn = await connect({ port: Number(port), host, timeout: 2000 });

const PINGS = 10_000;
const start = performance.now();
for (let i = 0; i < PINGS; i++) conn.send(encode(['PING']));
for (let i = 0; i < PINGS; i++) await readReply(conn);
const seconds = (performance.now() - start) / 1000;
console.log(`${PINGS} pipelined PINGs, ${Math.round(PINGS / seconds)} a second`);

conn.send(encode(['SET', 'greeting', 'hello from the ring']));
conn.send(encode(['GET', 'greeting']));
conn.send(encode(['DEL', 'greeting']));
console.log(await readReply(conn), await readReply(conn), await readReply(conn));
await conn.close();
