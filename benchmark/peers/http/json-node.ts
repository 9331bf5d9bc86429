/** The peer: stock node:http, JSON. `node json-node.js [port] [host]` */
import { createServer } from 'node:http';
import { answerGet, answerPost } from './json.js';
import { listen } from './node-listen.js';

const server = createServer((request, response) => {
  const send = (text: string): void => {
    response.writeHead(200, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    });
    response.end(text);
  };
  if (request.method !== 'POST') {
    send(answerGet(new URL(request.url!, `http://${request.headers.host}`)));
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => send(answerPost(JSON.parse(Buffer.concat(chunks).toString()))));
});
listen(server);
