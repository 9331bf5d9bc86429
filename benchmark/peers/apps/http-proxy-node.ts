/** An HTTP proxy on node:http. `node http-proxy-node.js UPSTREAM [port] [host]` */
import { Agent, createServer, request } from 'node:http';
import { pipeline } from 'node:stream';
import { listen } from '../http/node-listen.js';

const { hostname, port } = new URL(process.argv[2]!);
const agent = new Agent({ keepAlive: true });
const ignore = (): void => {};

listen(
  createServer((incoming, response) => {
    const { method, url, headers } = incoming;
    const outgoing = request({ host: hostname, port, agent, method, path: url, headers }, answer => {
      if (response.destroyed) {
        // The client has gone.
        answer.destroy();
        return;
      }
      response.writeHead(answer.statusCode!, answer.headers);
      pipeline(answer, response, ignore);
    });
    pipeline(incoming, outgoing, error => {
      if (error) response.destroy();
    });
  }),
  1,
);
