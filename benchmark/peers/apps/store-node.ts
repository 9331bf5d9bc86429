/** A key-value server on node:net. `node store-node.js [port] [host]` */
import { createServer } from 'node:net';
import { listen } from '../http/node-listen.js';
import { Session } from './store.js';

listen(
  createServer({ noDelay: true }, socket => {
    const session = new Session();
    socket.on('data', chunk => {
      const answers = session.take(chunk as Buffer);
      if (answers !== null) socket.write(answers);
    });
    socket.on('error', () => {});
  }),
);
