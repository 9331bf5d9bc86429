/** Frameworks from npm that have a fetch function, with the platform's Response and with ours in its place. */
import { H3 } from 'h3';
import { Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { stream, streamSSE } from 'hono/streaming';
import { AutoRouter, text } from 'itty-router';
import t from 'tap';
import { type Handler, Response as OwnResponse, replaceGlobals } from 'uasync/http';
import { checkLeaks } from '../harness.js';
import { served } from './served.js';

checkLeaks();

const hono = new Hono();
hono.get('/', c => c.text('hello'));
hono.get('/json/:name', c => c.json({ name: c.req.param('name'), query: c.req.query('q') }));
hono.post('/json', async c => c.json(await c.req.json(), 201));
hono.post('/form', async c => c.text(String((await c.req.parseBody()).a)));
hono.get('/cookie', c => {
  setCookie(c, 'one', '1');
  setCookie(c, 'two', '2');
  return c.text(getCookie(c, 'got') ?? 'none');
});
hono.get('/stream', c =>
  stream(c, async out => {
    for (const text of ['a', 'b', 'c']) await out.write(text);
  }),
);
hono.get('/sse', c =>
  streamSSE(c, async out => {
    for (let i = 0; i < 3; i++) await out.writeSSE({ data: `${i}` });
  }),
);
hono.use('/late', async (c, next) => {
  await next();
  c.header('X-Late', 'yes');
});
hono.get('/late', c => c.body(null, 204));
hono.get('/throws', () => {
  throw new Error('hono');
});
hono.onError((error, c) => c.text(error.message, 500));

const h3 = new H3();
h3.get('/', () => 'hello');
h3.get('/json/:name', event => ({
  name: event.context.params!.name,
  query: event.url.searchParams.get('q'),
}));
h3.post('/json', async event => {
  event.res.status = 201;
  return event.req.json();
});

const itty = AutoRouter();
itty.get('/', () => text('hello'));
itty.get('/json/:name', ({ params, query }) => ({ name: params.name, query: query.q }));
itty.post(
  '/json',
  async request =>
    new Response(JSON.stringify(await request.json()), {
      status: 201,
      headers: { 'content-type': 'application/json' },
    }),
);

const apps: [name: string, fetch: Handler][] = [
  ['hono', request => hono.fetch(request)],
  ['h3', request => h3.fetch(request) as Promise<Response>],
  ['itty-router', request => itty.fetch(request)],
];

for (const replaced of [false, true]) {
  t.test(
    replaced ? 'with our Response in the place of the global one' : 'with the platform’s Response',
    async t => {
      const undo = replaced ? replaceGlobals() : undefined;
      t.teardown(() => undo?.());
      t.equal((Response as unknown) === OwnResponse, replaced);
      for (const [name, fetchApp] of apps) {
        const server = await served(t, fetchApp);
        const at = (path: string): URL => new URL(path, server.url);
        t.equal(await (await fetch(at('/'))).text(), 'hello', name);
        t.same(await (await fetch(at('/json/x?q=1%202'))).json(), { name: 'x', query: '1 2' });
        const posted = await fetch(at('/json'), {
          method: 'POST',
          body: '{"ñ":[1]}',
          headers: { 'Content-Type': 'application/json' },
        });
        t.equal(posted.status, 201);
        t.same(await posted.json(), { ñ: [1] });
        t.equal((await fetch(at('/none'))).status, 404);
      }
      const server = await served(t, request => hono.fetch(request));
      const at = (path: string): URL => new URL(path, server.url);
      t.equal(
        await (await fetch(at('/form'), { method: 'POST', body: new URLSearchParams({ a: 'b c' }) })).text(),
        'b c',
      );
      const form = new FormData();
      form.append('a', 'multi');
      t.equal(await (await fetch(at('/form'), { method: 'POST', body: form })).text(), 'multi');
      const cookie = await fetch(at('/cookie'), { headers: { cookie: 'got=it' } });
      t.equal(await cookie.text(), 'it');
      t.same(cookie.headers.getSetCookie(), ['one=1; Path=/', 'two=2; Path=/']);
      t.equal(await (await fetch(at('/stream'))).text(), 'abc');
      t.match(await (await fetch(at('/sse'))).text(), /data: 0\n\ndata: 1\n\ndata: 2\n\n/);
      const late = await fetch(at('/late'));
      t.same([late.status, late.headers.get('x-late')], [204, 'yes']);
      t.equal(await (await fetch(at('/throws'))).text(), 'hono');
      t.equal((await fetch(at('/'), { method: 'HEAD' })).status, 200);
    },
  );
}

t.test('what is replaced, and undone', async t => {
  const before = [Request, Response, fetch];
  const undo = replaceGlobals();
  const upstream = await served(
    t,
    async request => new Response(`${request.method} ${await request.text()}`),
  );
  const server = await served(t, async request => {
    t.ok(request instanceof Request);
    const direct = new Request(request);
    t.equal(direct.method, 'POST');
    const proxied = new Request(new URL('/x', upstream.url), direct);
    const answer = await fetch(proxied);
    t.ok(answer instanceof Response);
    t.ok(new Response('') instanceof Response);
    return answer;
  });
  const reply = await fetch(server.url, { method: 'POST', body: 'through' });
  t.equal(await reply.text(), 'POST through');
  undo();
  t.same([Request, Response, fetch], before);
});
