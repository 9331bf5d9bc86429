/** A chat over WebSockets: `node dist/examples/http/chat.js [port] [host]`. Needs `npm install ws`. */
import type { IncomingMessage } from 'node:http';
import { Response, serve } from 'uasync/http';
import { WebSocketServer } from 'ws';

const [port = '8000', host = '127.0.0.1'] = process.argv.slice(2);

const PAGE = `<!doctype html><form><input autofocus></form><ul></ul>
<script>
  const socket = new WebSocket(location.href.replace('http', 'ws'));
  const [form, list] = [document.querySelector('form'), document.querySelector('ul')];
  socket.onmessage = ({ data }) => list.appendChild(document.createElement('li')).append(data);
  form.onsubmit = event => {
    event.preventDefault();
    socket.send(form[0].value);
    form.reset();
  };
</script>`;

const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 });
sockets.on('connection', socket => {
  socket.on('error', () => {});
  socket.on('message', data => {
    for (const client of sockets.clients) client.send(String(data));
  });
});

const server = await serve(
  async (request, info) => {
    const headers = Object.fromEntries(request.headers);
    if (headers.upgrade !== 'websocket')
      return new Response(PAGE, { headers: { 'Content-Type': 'text/html' } });
    const { head, toDuplex } = await info.upgrade();
    // The properties of a node:http request that ws reads.
    const message = { method: request.method, url: request.url, headers } as unknown as IncomingMessage;
    sockets.handleUpgrade(message, toDuplex(), head, socket => sockets.emit('connection', socket, message));
    return new Response();
  },
  { port: Number(port), host },
);
console.log(`listening on ${server.url.host}`);
