/**
 * An echo server on a socket that systemd has opened: the port is open before the server runs, and stays open while it
 * is restarted. sd_listen_fds(3)
 *
 *     systemd-socket-activate --listen=7000 node dist/examples/socket-activation.js
 *
 * or as a service, with a `.socket` unit that has `ListenStream=7000`.
 */
import { signals } from 'uasync';
import { type Connection, listen } from 'uasync/net';

/** The descriptors for this process, which start at 3. */
function activated(): number[] {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  // If they are meant for the npm or shell that has started this process, they are not ours.
  if (Number(LISTEN_PID) !== process.pid) return [];
  return Array.from({ length: Number(LISTEN_FDS) }, (_, i) => 3 + i);
}

async function echo(conn: Connection): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk);
}

const fds = activated();
if (fds.length === 0) {
  console.error('No sockets: start it by systemd-socket-activate --listen=7000 node …');
  process.exit(1);
}

const servers = await Promise.all(fds.map(fd => listen({ fd })));
for (const server of servers) {
  console.log('serving', server.address);
  void (async () => {
    for await (const conn of server) echo(conn).catch(() => conn.reset());
  })();
}

// Open connections are finished. The socket belongs to systemd, which continues to listen.
for await (const name of signals('SIGTERM', 'SIGINT')) {
  console.log(name);
  await Promise.all(servers.map(server => server.close()));
  break;
}
