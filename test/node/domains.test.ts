/** Listeners run in their own domain (node:domain), or in none, as those of stock sockets do. */
import t from 'tap';
import { scratchFolder } from '../harness.js';
import { registered } from './registered.js';

const run = registered(scratchFolder());

// A listener that throws does not leave its domain by itself.
const program = `
  import domain from 'node:domain';
  import net from 'node:net';
  const server = net.createServer(socket => {
    console.log('connection', Boolean(process.domain));
    socket.on('data', () => console.log('data', Boolean(process.domain)));
    socket.on('end', () => socket.end());
  });
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    const outer = domain.create();
    outer.run(() => {
      const first = net.connect(port, '127.0.0.1', () => {
        first.destroy();
        throw new Error('in the domain');
      });
    });
    outer.on('error', error => {
      console.log(error.message);
      const second = net.connect(port, '127.0.0.1', () => second.end('second'));
      second.resume().on('close', () => server.close());
    });
  });
`;

t.test('after an error in a domain, others are not in it', async t => {
  const outputs = await Promise.all(
    ['off', 'all'].map(async UASYNC_REGISTER => {
      const { stdout } = await run(program, { env: { UASYNC_REGISTER } });
      return stdout.trim().split('\n').sort();
    }),
  );
  t.same(outputs[0], ['connection false', 'connection false', 'data false', 'in the domain']);
  t.same(outputs[1], outputs[0]);
});
