/**
 * A small HTTP/1.1 responder: `node dist/examples/http-hello.js [port] [host]`.
 * It answers every request with a greeting, keeps connections alive and supports pipelined requests. It is an example
 * of reading a protocol from a connection, not a web server.
 */
import { type Connection, listen } from 'uasync/net';

const [port = '8000', host = '127.0.0.1'] = process.argv.slice(2);

/** A longer request line with headers is refused. */
const HEAD_MAX = 16 * 1024;
const BODY = 'Hello, world!\n';

function response(status: string, body: string, keepAlive: boolean): string {
  const connection = keepAlive ? 'keep-alive' : 'close';
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: ${connection}\r\n\r\n${body}`;
}

const HELLO = response('200 OK', BODY, true);

/** The size of a body after the head, to be skipped. */
function bodyLength(head: string): number {
  const match = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head);
  return match === null ? 0 : Number(match[1]);
}

async function serve(conn: Connection): Promise<void> {
  let pending = '';
  let skip = 0;
  for await (const chunk of conn) {
    pending += chunk.toString('latin1');
    let answer = '';
    let keepAlive = true;
    while (keepAlive) {
      const skipped = Math.min(skip, pending.length);
      pending = pending.slice(skipped);
      skip -= skipped;
      const end = pending.indexOf('\r\n\r\n');
      if (end === -1) break;
      const head = pending.slice(0, end);
      pending = pending.slice(end + 4);
      if (!/^[A-Z]+ \S+ HTTP\/1\.[01](\r\n|$)/.test(head)) {
        answer += response('400 Bad Request', 'Bad request\n', false);
        keepAlive = false;
      } else {
        skip = bodyLength(head);
        keepAlive = head.includes(' HTTP/1.1') && !/\r\nconnection:[ \t]*close/i.test(head);
        const text = keepAlive ? HELLO : response('200 OK', BODY, false);
        answer += head.startsWith('HEAD ') ? text.slice(0, -BODY.length) : text;
      }
    }
    if (keepAlive && pending.length > HEAD_MAX) {
      answer += response('431 Request Header Fields Too Large', 'Too large\n', false);
      keepAlive = false;
    }
    if (answer !== '') await conn.write(answer);
    if (!keepAlive) return;
  }
}

const server = await listen({ port: Number(port), host });
const { address, port: bound } = server.address;
console.log(`listening on ${address}:${bound}`);

for await (const conn of server) {
  serve(conn).catch(() => {});
}
