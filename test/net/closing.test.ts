/** A close sends what was written, whatever the peer is still sending or has sent unread. */
import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { Connection } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { ANSWER, Client, PLACES } from './closing-peers.js';

checkLeaks();

/** What a peer does beside reading. */
const PEERS = {
  'has sent what nobody reads': (client: Client) => client.socket.write('x'.repeat(10_000)),
  'keeps sending': (client: Client) => client.upload(),
  'begins to send once it reads': (client: Client) => client.socket.once('data', () => client.upload()),
  'says nothing': () => {},
};

/** How a server ends a connection after its answer. */
const ENDS: Record<string, (conn: Connection) => Promise<void>> = {
  'close()': async conn => {
    await conn.write(ANSWER);
    await conn.close();
  },
  'close() before the kernel has taken what was written': async conn => {
    conn.send(ANSWER);
    await conn.close();
  },
  'shutdown(), then close()': async conn => {
    await conn.write(ANSWER);
    await conn.shutdown();
    await conn.close();
  },
  'close() while a read waits': async conn => {
    const reading = conn.readExactly(1 << 30).catch(error => error.code);
    await conn.write(ANSWER);
    await conn.close();
    t.equal(await reading, 'ERR_CLOSED');
  },
  'web streams': async conn => {
    const writer = conn.writable.getWriter();
    await writer.write(ANSWER);
    await writer.close();
    await conn.readable.cancel();
  },
  'destroySoon() of a duplex': async conn => {
    const duplex = conn.toDuplex();
    duplex.write(ANSWER);
    duplex.destroySoon();
    await once(duplex, 'close');
  },
};

/** How a server ends one that it has read from. */
const READING_ENDS: Record<string, (conn: Connection) => Promise<void>> = {
  'leaving for await': async conn => {
    for await (const _chunk of conn) {
      await conn.write(ANSWER);
      break;
    }
  },
  'leaving for await by an exception': async conn => {
    try {
      for await (const _chunk of conn) {
        conn.send(ANSWER);
        throw new Error('the handler fails');
      }
    } catch (error) {
      t.match(error, /the handler fails/);
    }
  },
};

for (const [place, listenHere] of PLACES) {
  const check = async (
    t: Test,
    end: (conn: Connection) => Promise<void>,
    begin: (client: Client) => unknown,
  ): Promise<void> => {
    const server = await listenHere();
    const client = new Client(server);
    begin(client);
    const conn = await server.accept();
    // It is to go on without its listener.
    await server.close();
    await end(conn);
    t.equal(conn.fd, -1);
    t.equal(await client.ended, 'end');
    t.ok(client.answer.equals(ANSWER), `${client.answer.length} bytes`);
  };
  for (const [what, begin] of Object.entries(PEERS)) {
    for (const [name, end] of Object.entries(ENDS)) {
      t.test(`${place}, ${name}: the peer ${what}`, t => check(t, end, begin));
    }
    if (!/sent|keeps/.test(what)) continue;
    for (const [name, end] of Object.entries(READING_ENDS)) {
      t.test(`${place}, ${name}: the peer ${what}`, t => check(t, end, begin));
    }
  }
}
