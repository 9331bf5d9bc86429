/** The peer: node:net echo servers in UASYNC_BENCH_THREADS processes of node:cluster. */
import cluster from 'node:cluster';
import { createServer } from 'node:net';

const [port = '0'] = process.argv.slice(2);
const threads = Number(process.env.UASYNC_BENCH_THREADS ?? 1);

if (cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', (_worker, { port }) => {
    listening++;
    if (listening === threads) console.log(`listening on 127.0.0.1:${port}`);
  });
  for (let i = 0; i < threads; i++) cluster.fork();
} else {
  const server = createServer({ noDelay: true }, socket => {
    socket.on('data', data => socket.write(data));
    socket.on('error', () => {});
  });
  server.listen(Number(port), '127.0.0.1');
  // A worker without its primary ends.
  process.on('disconnect', () => process.exit());
}
