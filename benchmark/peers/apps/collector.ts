/** A server that drops what it gets. `node collector.js [port] [host]` */
import { createServer } from 'node:net';
import { listen } from '../http/node-listen.js';

listen(createServer(socket => socket.on('error', () => {}).resume()));
