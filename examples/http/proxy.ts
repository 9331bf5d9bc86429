/** A proxy that streams both ways: `node dist/examples/http/proxy.js UPSTREAM [port] [host]`. */
import { Headers, Response, serve } from 'uasync/http';

const [upstream = 'http://127.0.0.1:8000', port = '8001', host = '127.0.0.1'] = process.argv.slice(2);

/** Headers of a connection, and those that are wrong once `fetch` has decoded a body. */
const NOT_PASSED = [
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
];
const OF_THE_CODING = ['content-encoding', 'content-length'];

function passed(headers: Iterable<[string, string]>, dropped: readonly string[]): Headers {
  return new Headers([...headers].filter(([name]) => !NOT_PASSED.includes(name) && !dropped.includes(name)));
}

const server = await serve(
  async request => {
    const { pathname, search } = new URL(request.url);
    const { method, body, signal } = request;
    const headers = [...passed(request.headers, ['content-length'])];
    const init = { method, body, headers, signal, redirect: 'manual', duplex: 'half' } as RequestInit;
    const answer = await fetch(new URL(pathname + search, upstream), init);
    const coded = answer.headers.has('content-encoding') ? OF_THE_CODING : [];
    return new Response(answer.body as ReadableStream, {
      status: answer.status,
      headers: passed(answer.headers, coded),
    });
  },
  {
    port: Number(port),
    host,
    maxBodySize: Number.POSITIVE_INFINITY,
    onError: () => new Response('Bad Gateway\n', { status: 502 }),
  },
);
console.log(`listening on ${server.url.host}`);
