/** The peer: stock node:http, JSON. `node json-node.js [port] [host]` */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerGet, answerPost } from './json.js';

const [port = '0', host = '127.0.0.1'] = process.argv.slice(2);

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
server.listen(Number(port), host, () => {
  const { address, port: bound } = server.address() as AddressInfo;
  console.log(`listening on ${address}:${bound}`);
});
