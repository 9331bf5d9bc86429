/** A TCP proxy on node:net. `node tcp-proxy-node.js HOST:PORT [port] [host]` */
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { listen } from '../http/node-listen.js';

const { hostname, port } = new URL(`tcp://${process.argv[2]}`);
const ignore = (): void => {};

listen(
  createServer({ noDelay: true, allowHalfOpen: true }, inner => {
    const outer = connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true });
    pipeline(inner, outer, ignore);
    pipeline(outer, inner, ignore);
  }),
  1,
);
