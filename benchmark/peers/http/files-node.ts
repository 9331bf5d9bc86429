/** The peer: stock node:http with `send`, the files of a folder. `node files-node.js FOLDER [port] [host]` */
import { createServer } from 'node:http';
import send from 'send';
import { listen } from './node-listen.js';

const [root = '.'] = process.argv.slice(2);

const server = createServer((request, response) => {
  send(request, request.url!, { root }).pipe(response);
});
listen(server, 1);
