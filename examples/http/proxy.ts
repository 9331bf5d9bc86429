/**
 * A proxy that streams both ways: `node dist/examples/http/proxy.js UPSTREAM [port] [host]`.
 * Its requests are made by the client of node:http on sockets of uasync, which costs much less than `fetch` and decodes
 * nothing.
 */
import { Agent, request as ask, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import { Response, serve } from 'uasync/http';
import net from 'uasync/node/net';

const [upstream = 'http://127.0.0.1:8000', port = '8001', host = '127.0.0.1'] = process.argv.slice(2);
const { hostname, port: upstreamPort, host: authority } = new URL(upstream);
const agent = new Agent({ keepAlive: true });
agent.createConnection = net.connect as typeof agent.createConnection;

/** Headers of one connection, which are not passed on. */
const OF_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
]);
/** Statuses of answers without a body. */
const BODILESS = new Set([204, 205, 304]);

type Field = [name: string, value: string];

function passed(fields: Iterable<Field>): Field[] {
  return [...fields].filter(([name]) => !OF_CONNECTION.has(name.toLowerCase()));
}

function fieldsOf({ rawHeaders }: IncomingMessage): Field[] {
  return rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, rawHeaders[i + 1]!]] : [])) as Field[];
}

async function forward(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const { method, body, signal } = request;
  const fields: Field[] = [['host', authority], ...passed(request.headers)];
  if (body !== null && !request.headers.has('content-length')) fields.push(['transfer-encoding', 'chunked']);
  const path = pathname + search;
  const to = { hostname, port: upstreamPort, path, method, headers: fields.flat(), agent, signal };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = ask(to, resolve);
    outgoing.on('error', reject);
    if (body === null) outgoing.end();
    else pipeline(body, outgoing, () => {});
  });
  const status = answer.statusCode!;
  const headers = passed(fieldsOf(answer));
  if (method !== 'HEAD' && !BODILESS.has(status)) return new Response(answer, { status, headers });
  answer.resume();
  return new Response(null, { status, headers });
}

const server = await serve(forward, {
  port: Number(port),
  host,
  maxBodySize: Number.POSITIVE_INFINITY,
  onError: () => new Response('Bad Gateway\n', { status: 502 }),
});
console.log(`listening on ${server.url.host}`);
