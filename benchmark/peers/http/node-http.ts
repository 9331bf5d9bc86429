/** The peer: stock node:http. `node node-http.js [port] [host]` */
import { createServer } from 'node:http';
import { hello } from './hello.js';
import { listen } from './node-listen.js';

listen(createServer(hello));
