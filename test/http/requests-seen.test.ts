/** What handlers see of a request, and who is told when they fail. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { type AccessLogEntry, Response, serve } from 'uasync/http';
import { checkLeaks, until } from '../harness.js';
import { answersIn, Peer, portOf, served, talk } from './served.js';

checkLeaks();

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

t.test('a request is one of the platform’s, as far as anyone can tell', async t => {
  const seen: Request[] = [];
  const server = await served(t, async (request, info) => {
    seen.push(request);
    t.ok(request instanceof Request);
    t.ok(request.headers instanceof Headers);
    t.equal(Object.prototype.toString.call(request), '[object Request]');
    t.equal(request.method, 'POST');
    t.equal(request.url, `http://127.0.0.1:${portOf(server)}/a/c?d=%20e`);
    t.equal(request.headers.get('X-ONE'), '1, 2');
    t.equal(request.headers.get('none'), null);
    t.ok(request.headers.has('content-type'));
    t.same(
      [...request.headers].map(([name]) => name),
      ['content-length', 'content-type', 'host', 'x-one'],
    );
    t.equal(request.duplex, 'half');
    t.equal((info.remoteAddress as { address: string }).address, '127.0.0.1');
    t.equal(info.server, server);
    t.equal(info.secure, false);
    const copy = new Request(`${request.url}&copy`, request);
    t.equal(copy.headers.get('x-one'), '1, 2');
    t.equal(await copy.text(), '{"a":1}');
    t.ok(request.bodyUsed);
    await t.rejects(request.text(), TypeError);
    return new Response('');
  });
  const head = `POST /a/./b/../c?d=%20e HTTP/1.1\r\nHost: 127.0.0.1:${portOf(server)}\r\nX-One: 1\r\nx-one: 2\r\n`;
  const text = `${head}Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}`;
  const peer = await Peer.connect(server);
  peer.send(text);
  const answer = await peer.until(received => received.endsWith('\r\n\r\n'));
  t.match(answer, /^HTTP\/1\.1 200 /);
  t.equal(seen.length, 1);
  peer.close();
});

t.test('bodies, each in one of its ways', async t => {
  const form = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n';
  const ways: Record<string, (request: Request) => Promise<unknown>> = {
    text: async request => request.text(),
    json: async request => JSON.stringify(await request.json()),
    arrayBuffer: async request => Buffer.from(await request.arrayBuffer()).toString(),
    bytes: async request =>
      Buffer.from(await (request as unknown as { bytes(): Promise<Uint8Array> }).bytes()).toString(),
    blob: async request => {
      const blob = await request.blob();
      return `${blob.type} ${await blob.text()}`;
    },
    formData: async request => (await request.formData()).get('a'),
    stream: async request => {
      let text = '';
      for await (const chunk of request.body!) text += Buffer.from(chunk);
      return text;
    },
    byob: async request => {
      const reader = (request.body as ReadableStream).getReader({ mode: 'byob' });
      const { value } = await reader.read(new Uint8Array(2));
      await reader.cancel();
      return Buffer.from(value!).toString();
    },
    clone: async request => {
      const clone = request.clone();
      return `${await clone.text()} ${await request.text()}`;
    },
    platform: async request => new Request(request.url, request).text(),
  };
  const server = await served(t, async request => {
    const way = new URL(request.url).pathname.slice(1);
    return new Response(`${await ways[way]!(request)}`);
  });
  const cases: [way: string, type: string, body: string, expected: string][] = [
    ['text', 'text/plain', '\ufeffañ', 'añ'],
    ['json', 'application/json', '{"a": "ñ"}', '{"a":"ñ"}'],
    ['arrayBuffer', '', 'abc', 'abc'],
    ['bytes', '', 'abc', 'abc'],
    ['blob', 'x/y', 'abc', 'x/y abc'],
    ['formData', 'multipart/form-data; boundary=x', form, 'b'],
    ['formData', 'application/x-www-form-urlencoded', 'a=%20&c=d', ' '],
    ['stream', '', 'abc', 'abc'],
    ['byob', '', 'abcdef', 'ab'],
    ['clone', '', 'abc', 'abc abc'],
    ['platform', '', 'abc', 'abc'],
  ];
  for (const [way, type, body, expected] of cases) {
    for (const late of [false, true]) {
      const bytes = Buffer.from(body);
      const peer = await Peer.connect(server);
      peer.send(
        `POST /${way} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${bytes.length}\r\n\r\n`,
      );
      if (late) await delay(5);
      peer.send(bytes.subarray(0, 2));
      if (late) await delay(5);
      peer.send(bytes.subarray(2));
      const [answer] = answersIn(await peer.whole());
      t.equal(Buffer.from(answer!.body, 'latin1').toString(), expected, `${way}${late ? ', late' : ''}`);
      peer.close();
    }
  }
});

t.test('a body that is not read holds its peer back', async t => {
  let goOn!: () => void;
  const waiting = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const server = await served(
    t,
    async request => {
      await waiting;
      let length = 0;
      for await (const chunk of request.body!) length += chunk.length;
      return new Response(`${length}`);
    },
    { maxBodySize: Number.POSITIVE_INFINITY },
  );
  const size = 64 * 1024 * 1024;
  const peer = await Peer.connect(server);
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`);
  const piece = Buffer.alloc(1 << 20);
  for (let sent = 0; sent < size; sent += piece.length) peer.send(piece);
  await delay(50);
  t.ok(peer.socket.writableLength > size / 2, `${peer.socket.writableLength} bytes wait at the peer`);
  goOn();
  t.equal(answersIn(await peer.whole())[0]!.body, `${size}`);
  peer.close();
});

t.test('failing handlers', async t => {
  const errors: unknown[] = [];
  const used = new Response('x');
  await used.text();
  const handlers: Record<string, () => unknown> = {
    throws: () => {
      throw new Error('thrown');
    },
    rejects: async () => {
      throw new Error('rejected');
    },
    undefined: () => undefined,
    null: async () => null,
    text: () => 'text',
    object: () => ({}),
    used: () => used,
    'used platform': async () => {
      const response = new globalThis.Response('x');
      await response.text();
      return response;
    },
    error: () => globalThis.Response.error(),
    'stream at once': () =>
      new Response(new ReadableStream({ pull: () => Promise.reject(new Error('stream')) })),
    thenable: () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what is tested
      then: (_: unknown, reject: (error: Error) => void) => reject(new Error('thenable')),
    }),
  };
  const server = await served(
    t,
    ((request: Request) => handlers[decodeURIComponent(new URL(request.url).pathname.slice(1))]!()) as never,
    {
      onError: error => {
        errors.push(error);
        return errors.length % 2 === 0 ? undefined : new Response('mine', { status: 503 });
      },
    },
  );
  for (const what of Object.keys(handlers)) {
    errors.length = 0;
    const requests = `GET /${encodeURIComponent(what)} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const answers = answersIn(
      await talk(server, [requests, requests.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')]),
    );
    t.same(
      answers.map(({ status }) => status),
      [503, 500],
      what,
    );
    t.equal(errors.length, 2, what);
    t.ok(errors[0] instanceof Error, `${errors[0]}`);
  }
});

t.test('an answer that fails halfway is cut, and so is the connection', async t => {
  const errors: Error[] = [];
  let begun = (): void => {};
  const arrived = new Promise<void>(resolve => {
    begun = resolve;
  });
  const server = await served(
    t,
    () =>
      new Response(
        (async function* () {
          yield 'begun';
          await arrived;
          throw new Error('halfway');
        })(),
      ),
    {
      onError: error => {
        errors.push(error as Error);
        return new Response('not sent');
      },
    },
  );
  const peer = await Peer.connect(server);
  peer.send(GET);
  await peer.until(received => received.includes('begun'));
  begun();
  const received = await peer.whole();
  peer.close();
  t.match(received, /begun/);
  t.notMatch(received, /0\r\n\r\n|not sent/);
  t.match(errors, [{ message: 'halfway' }]);
  await until(() => server.stats().connections === 0);
  t.equal(server.stats().cut, 1);
});

t.test('onError that fails, too', async t => {
  const { error } = console;
  const printed: unknown[] = [];
  console.error = (...args: unknown[]) => printed.push(...args);
  t.teardown(() => {
    console.error = error;
  });
  const server = await served(
    t,
    () => {
      throw new Error('one');
    },
    {
      onError: () => {
        throw new Error('two');
      },
    },
  );
  const [answer] = answersIn(await talk(server, [GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')]));
  t.equal(answer!.status, 500);
  t.match(printed, [{ message: 'two' }]);
});

t.test('a peer that goes aborts its request, and what streams to it', async t => {
  for (const how of ['reset', 'end'] as const) {
    const aborted: string[] = [];
    const server = await served(t, async request => {
      request.signal.addEventListener('abort', () => aborted.push('signal'));
      if (request.url.endsWith('/never')) return new Promise(() => {});
      return new Response(
        new ReadableStream({
          pull: async controller => {
            await delay(2);
            controller.enqueue(new Uint8Array(10));
          },
          cancel: () => {
            aborted.push('stream');
          },
        }),
      );
    });
    for (const path of ['/never', '/stream']) {
      aborted.length = 0;
      const peer = await Peer.connect(server);
      peer.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await until(() => server.stats().active === 1);
      if (path === '/stream') await peer.until(received => received.length > 200);
      if (how === 'reset') peer.socket.resetAndDestroy();
      else peer.socket.destroy();
      await until(() => aborted.includes(path === '/stream' ? 'stream' : 'signal'));
      t.ok(aborted.includes('signal'));
    }
  }
});

t.test('a peer that has ended its side gets its answers', async t => {
  const server = await served(t, async request => {
    await delay(5);
    return new Response(new URL(request.url).pathname);
  });
  const requests = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n';
  t.same(
    answersIn(await talk(server, [requests], true)).map(({ body }) => body),
    ['/1', '/2'],
  );
});

t.test('handlers run in the context of serve(), and what one enters the next does not see', async t => {
  const storage = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const server = await storage.run('serve', () =>
    serve(
      request => {
        seen.push(storage.getStore());
        storage.enterWith(request.url);
        return new Response('');
      },
      { host: '127.0.0.1', port: 0 },
    ),
  );
  const peers = await Promise.all(Array.from({ length: 5 }, () => Peer.connect(server)));
  await storage.run('client', async () => {
    for (const peer of peers) peer.send(GET + GET);
    for (const peer of peers) await peer.until(received => received.match(/200 OK/g)?.length === 2);
  });
  t.same(new Set(seen), new Set(['serve']));
  t.equal(seen.length, 10);
  for (const peer of peers) peer.close();
  await server.stop();
});

t.test('the access log, and channels', async t => {
  const entries: AccessLogEntry[] = [];
  const messages: [string, Record<string, unknown>][] = [];
  const names = ['request', 'response', 'error', 'refused'];
  const listeners = names.map(
    name => (message: unknown) => messages.push([name, message as Record<string, unknown>]),
  );
  for (const [i, name] of names.entries()) subscribe(`uasync:http:${name}`, listeners[i]!);
  t.teardown(() => {
    for (const [i, name] of names.entries()) unsubscribe(`uasync:http:${name}`, listeners[i]!);
  });
  const server = await served(
    t,
    request => {
      if (request.url.endsWith('/fail')) throw new Error('x');
      return new Response('abc', { status: 201 });
    },
    { accessLog: entry => entries.push(entry), onError: () => undefined },
  );
  const received = await talk(server, [
    'GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\n\r\n',
    'GET /fail HTTP/1.1\r\nHost: a\r\n\r\n',
    'BAD\r\n\r\n',
  ]);
  const [first] = answersIn(received);
  t.match(entries, [
    {
      method: 'GET',
      url: 'http://a/x',
      status: 201,
      bytes: first!.head.length + 3,
      remoteAddress: { address: '127.0.0.1' },
    },
    { status: 500 },
  ]);
  t.equal(entries[0]!.headers.get('user-agent'), 'me');
  t.ok(entries[0]!.duration >= 0);
  t.same(
    messages.map(([name]) => name),
    ['request', 'response', 'request', 'error', 'response', 'refused'],
  );
  t.match(messages.at(-1)![1], { status: 400, remoteAddress: { address: '127.0.0.1' } });
  t.match(server.stats(), { accepted: 1, answered: 2, refused: 1 });
});
