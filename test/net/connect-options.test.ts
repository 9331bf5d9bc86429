/** Whom connect, listen and bind are told to mean: an address, a family, a lookup of the caller's. */
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import t from 'tap';
import { bind, connect, listen } from 'uasync/net';
import { checkLeaks } from '../harness.js';
import { quietPort } from '../ports.js';
import { HOST, noIPv6 } from './sockets.js';

checkLeaks();

t.test('a server’s address is where to connect to', async t => {
  // Another address than that of 'localhost', on which the port is free.
  const server = await listen({ port: await quietPort(), host: '127.0.0.2' });
  const client = await connect(server.address);
  t.same(client.remoteAddress, server.address);
  const conn = await server.accept();
  await Promise.all([client.close(), conn.close()]);
  const { port } = server.address;
  await t.rejects(connect({ port, host: HOST }), { code: 'ECONNREFUSED' });
  await t.rejects(listen(server.address), { code: 'EADDRINUSE', address: '127.0.0.2' });
  await server.close();

  const unix = await listen({ path: `\0uasync-address-${process.pid}` });
  const other = await connect(unix.address);
  await Promise.all([other.close(), unix.accept().then(conn => conn.close())]);
  await unix.close();
});

t.test('connect without options', async t => {
  await t.rejects(connect(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' });
});

t.test('bind, too, takes an address', async t => {
  const socket = await bind({ address: '127.0.0.2', family: 'IPv4', port: 0 });
  t.equal(socket.address.address, '127.0.0.2');
  await t.rejects(bind(socket.address), { code: 'EADDRINUSE', address: '127.0.0.2' });
  await socket.close();
});

t.test('a family, also without a host', { skip: noIPv6 }, async t => {
  for (const [family, expected, any] of [
    ['IPv4', 'IPv4', '0.0.0.0'],
    [4, 'IPv4', '0.0.0.0'],
    ['IPv6', 'IPv6', '::'],
    [6, 'IPv6', '::'],
    [0, 'IPv6', '::'],
  ] as const) {
    const server = await listen({ port: 0, family });
    t.match(server.address, { address: any, family: expected });
    await server.close();
  }
});

/** A lookup that finds both families, and what it was asked. */
function both(): { lookup: LookupFunction; asked: unknown[] } {
  const asked: unknown[] = [];
  const lookup: LookupFunction = (host, options, done) => {
    asked.push([host, options.all, options.family, options.hints]);
    setImmediate(() =>
      done(null, [
        { address: '::1', family: 6 },
        { address: HOST, family: 4 },
      ]),
    );
  };
  return { lookup, asked };
}

t.test('a lookup of the caller’s', async t => {
  const server = await listen({ port: 0, host: HOST });
  const { port } = server.address;
  const { lookup, asked } = both();
  const client = await connect({ port, host: 'some.where', lookup, family: 4, hints: dns.ADDRCONFIG });
  t.same(client.remoteAddress, server.address, 'only addresses of the family are tried');
  t.same(asked, [['some.where', true, 4, dns.ADDRCONFIG]]);
  await Promise.all([client.close(), server.accept().then(conn => conn.close())]);

  // One that knows no `all`.
  const one: LookupFunction = (_host, _options, done) => done(null, HOST, 4);
  const second = await connect({ port, host: 'some.where', lookup: one });
  await Promise.all([second.close(), server.accept().then(conn => conn.close())]);

  // A numeric address is not looked up.
  const none: LookupFunction = () => t.fail('it was asked');
  const third = await connect({ port, host: HOST, lookup: none });
  await Promise.all([third.close(), server.accept().then(conn => conn.close())]);
  await server.close();
});

t.test('a lookup that fails, in every way', async t => {
  const to = (lookup: unknown, more = {}) =>
    connect({ port: 1, host: 'some.where', lookup, ...more } as never);
  const error = Object.assign(new Error('not today'), { code: 'EAI_AGAIN' });
  await t.rejects(
    to((_host: string, _options: object, done: (error: Error) => void) => done(error)),
    error,
  );
  await t.rejects(
    to(() => {
      throw error;
    }),
    error,
  );
  await t.rejects(
    to((_host: string, _options: object, done: (...args: unknown[]) => void) => done(null, 'nonsense', 4)),
    { code: 'ERR_INVALID_IP_ADDRESS' },
  );
  await t.rejects(
    to((_host: string, _options: object, done: (...args: unknown[]) => void) => done(null, [])),
    { code: 'ENOTFOUND' },
  );
  await t.rejects(
    to((_host: string, _options: object, done: (...args: unknown[]) => void) => done(null, HOST, 4), {
      family: 6,
    }),
    { code: 'ENOTFOUND' },
  );
  await t.rejects(
    to(() => {}, { timeout: 5 }),
    { code: 'ETIMEDOUT' },
    'it never answers',
  );
});

t.test('wrong ones', async t => {
  const type = { code: 'ERR_INVALID_ARG_TYPE' };
  const value = { code: 'ERR_INVALID_ARG_VALUE' };
  const cases: [object, { code: string }][] = [
    [{ port: 1, address: 5 }, type],
    [{ port: 1, host: HOST, address: '127.0.0.2' }, value],
    [{ port: 1, host: HOST, family: 6 }, value],
    [{ port: 1, family: 'IPv5' }, value],
    [{ port: 1, family: 5 }, value],
    [{ port: 1, lookup: 'dns' }, type],
    [{ port: 1, hints: 'all' }, type],
    [{ port: 1, hints: -1 }, { code: 'ERR_OUT_OF_RANGE' }],
    [{ port: 1, host: 'some.where', hints: 1 }, value],
  ];
  for (const [options, error] of cases) await t.rejects(connect(options as never), error);
  await t.rejects(listen({ port: 0, family: 'Unix' } as never), value);
  await t.rejects(listen({ port: 0, host: HOST, address: '127.0.0.2' }), value);
  await t.rejects(listen({ port: 0, host: HOST, family: 6 }), value);
  await t.rejects(bind({ port: 0, host: HOST, address: '127.0.0.2' }), value);
});
