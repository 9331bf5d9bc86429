/** A JSON API with Hono: `node dist/examples/http/json-api.js [port] [host]`. Needs `npm install hono`. */
import { Hono } from 'hono';
import { replaceGlobals, serve } from 'uasync/http';

const [port = '8000', host = '127.0.0.1'] = process.argv.slice(2);

// Hono creates its responses with `new Response`: this class costs less.
replaceGlobals();

const notes = new Map<string, unknown>();
const app = new Hono();
app.get('/notes', c => c.json([...notes.keys()]));
app.get('/notes/:name', c => {
  const note = notes.get(c.req.param('name'));
  return note === undefined ? c.notFound() : c.json(note);
});
app.put('/notes/:name', async c => {
  notes.set(c.req.param('name'), await c.req.json());
  return c.body(null, 204);
});

const server = await serve({ fetch: app.fetch, port: Number(port), host, maxBodySize: 64 * 1024 });
console.log(`listening on ${server.url.host}`);
