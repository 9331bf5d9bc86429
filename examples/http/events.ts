/** Server-sent events: `node dist/examples/http/events.js [port] [host]`. The page shows the time. */
import { setInterval } from 'node:timers/promises';
import { Response, serve } from 'uasync/http';

const [port = '8000', host = '127.0.0.1'] = process.argv.slice(2);

const PAGE = `<!doctype html><p id="time"></p>
<script>
  new EventSource('/events').onmessage = event => (document.getElementById('time').textContent = event.data);
</script>`;

/** Ends when its peer disconnects, which ends the iteration. */
async function* times(): AsyncGenerator<string> {
  for await (const _ of setInterval(100)) yield `data: ${new Date().toISOString()}\n\n`;
}

const server = await serve(
  request => {
    const { pathname } = new URL(request.url);
    if (pathname === '/') return new Response(PAGE, { headers: { 'Content-Type': 'text/html' } });
    if (pathname !== '/events') return new Response('Not Found\n', { status: 404 });
    return new Response(times(), {
      headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
    });
  },
  { port: Number(port), host },
);
console.log(`listening on ${server.url.host}`);
