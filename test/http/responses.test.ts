/** What handlers return, and how it is sent. */
import { Blob } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import t from 'tap';
import { type Handler, Response as OwnResponse } from 'uasync/http';
import { REASONS } from '../../src/http/output/reasons.js';
import { checkLeaks } from '../harness.js';
import { answersIn, Peer, type RawAnswer, served, talk } from './served.js';

checkLeaks();

const LAST = 'Host: a\r\nConnection: close\r\n\r\n';

/** The answer to a request. */
async function answer(
  test: Parameters<typeof served>[0],
  handler: Handler,
  request = `GET / HTTP/1.1\r\n${LAST}`,
): Promise<RawAnswer> {
  const server = await served(test, handler);
  const [method] = request.split(' ');
  const answers = answersIn(await talk(server, [request]), [method!]);
  if (answers.length !== 1) throw new Error(`${answers.length} answers`);
  return answers[0]!;
}

async function* texts(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    await new Promise(resolve => setImmediate(resolve));
    yield bytes(piece);
  }
}

/** A stream that has all it will have. */
function streamOf(text: string): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes(text));
      controller.close();
    },
  });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const form = new FormData();
form.append('a', 'b');

// biome-ignore lint/suspicious/noExplicitAny: both classes are called alike
const classes: [string, any][] = [
  ['own', OwnResponse],
  ['platform', Response],
];

for (const [name, Class] of classes) {
  t.test(`bodies of the ${name} Response`, async t => {
    const bodies: [
      what: string,
      body: unknown,
      expected: string | RegExp,
      type: string | undefined,
      chunked: boolean,
    ][] = [
      ['text', 'abc', 'abc', 'text/plain;charset=UTF-8', false],
      [
        'text beyond ASCII',
        'añ☃😀',
        Buffer.from('añ☃😀').toString('latin1'),
        'text/plain;charset=UTF-8',
        false,
      ],
      ['no text', '', '', 'text/plain;charset=UTF-8', false],
      ['bytes', bytes('abc'), 'abc', undefined, false],
      ['a buffer', bytes('abc').buffer, 'abc', undefined, false],
      ['a view', new DataView(bytes('xabcx').buffer, 1, 3), 'abc', undefined, false],
      ['a Blob', new Blob(['abc'], { type: 'x/y' }), 'abc', 'x/y', false],
      [
        'parameters',
        new URLSearchParams({ a: 'b c' }),
        'a=b+c',
        'application/x-www-form-urlencoded;charset=UTF-8',
        false,
      ],
      ['a form', form, /name="a"\r\n\r\nb\r\n/, undefined, false],
      ['null', null, '', undefined, false],
      ['a stream that is there', streamOf('abc'), 'abc', undefined, false],
      ['pieces', texts('a', 'bc'), 'abc', undefined, true],
    ];
    for (const [what, body, expected, type, chunked] of bodies) {
      const { status, headers, body: received } = await answer(t, () => new Class(body));
      t.equal(status, 200, what);
      if (typeof expected === 'string') t.equal(received, expected, what);
      else t.match(received, expected, what);
      if (what === 'a form') t.match(headers.get('content-type'), /^multipart\/form-data; boundary=/);
      else t.equal(headers.get('content-type'), type, what);
      // The platform's gives a stream of a Blob, which newer Nodes read later than other events.
      if (name === 'platform' && /^a (?:Blob|form)$/.test(what)) continue;
      t.equal(headers.get('transfer-encoding'), chunked ? 'chunked' : undefined, what);
      if (!chunked) t.equal(headers.get('content-length'), `${received.length}`, what);
      t.match(headers.get('date'), / GMT$/);
    }
  });

  t.test(`status and headers of the ${name} Response`, async t => {
    const made = new Class('x', {
      status: 418,
      statusText: 'Short and stout',
      headers: [
        ['X-One', ' 1 '],
        ['x-one', '2'],
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['Content-Type', 'a/b'],
      ],
    });
    const { head } = await answer(t, () => made);
    t.match(head, /^HTTP\/1\.1 418 Short and stout\r\n/);
    t.same(
      [...head.matchAll(/^set-cookie: (.*)\r$/gm)].map(([, value]) => value),
      ['a=1', 'b=2'],
    );
    t.match([...head.matchAll(/^x-one: (.*)\r$/gm)].map(([, value]) => value).join(', '), /^1, 2$/);
    t.match(head, /^content-type: a\/b\r$/m);
    t.notMatch(head, /text\/plain/);
  });

  t.test(`another response as the properties of a ${name} Response`, t => {
    for (const Other of [OwnResponse, Response]) {
      const other = new Other(null, { status: 404, statusText: 'Nowhere', headers: { 'x-one': '1' } });
      for (const made of [new Class('{}', other as never), Class.json({}, other as never)]) {
        t.match(made, { status: 404, statusText: 'Nowhere' });
        t.equal(made.headers.get('x-one'), '1');
      }
    }
    t.end();
  });

  t.test(`statuses without a body of the ${name} Response`, async t => {
    for (const status of [204, 304]) {
      const { headers, body } = await answer(t, () => new Class(null, { status }));
      t.equal(headers.has('content-length'), false, `${status}`);
      t.equal(body, '');
    }
    const { headers } = await answer(t, () => new Class(null, { status: 205 }));
    t.equal(headers.get('content-length'), '0');
  });

  t.test(`HEAD, by the ${name} Response`, async t => {
    const request = `HEAD / HTTP/1.1\r\n${LAST}`;
    const text = await answer(t, () => new Class('abc'), request);
    t.equal(text.body, '');
    if (name === 'own') t.equal(text.headers.get('content-length'), '3');
    let cancelled = false;
    const stream = new ReadableStream({
      cancel() {
        cancelled = true;
      },
    });
    const known = await answer(t, () => new Class(stream, { headers: { 'Content-Length': '7' } }), request);
    t.equal(known.headers.get('content-length'), '7');
    t.equal(known.headers.has('transfer-encoding'), false);
    t.ok(cancelled);
    const none = await answer(t, () => new Class(null, { headers: { 'content-length': '9' } }), request);
    t.equal(none.headers.get('content-length'), '9');
  });

  t.test(`framing is the server's: headers of the ${name} Response`, async t => {
    const headers = {
      'Transfer-Encoding': 'gzip',
      // The platform's says nothing of where its body is from: there it is a stream, whose length is believed.
      ...(name === 'own' ? { 'Content-Length': '99' } : {}),
      Connection: 'keep-alive',
      'Keep-Alive': 'timeout=9',
    };
    const { head, body } = await answer(t, () => new Class('abc', { headers }));
    t.equal(body, 'abc');
    t.notMatch(head, /transfer-encoding|keep-alive/i);
    t.equal(head.match(/content-length/g)?.length, 1);
    t.match(head, /connection: close/);
    const dated = await answer(t, () => new Class('', { headers: { Date: 'x' } }));
    t.equal(dated.headers.get('date'), 'x');
    t.equal(dated.head.match(/^date:/gm)?.length, 1);
  });

  t.test(`options of the connection, of the ${name} Response`, async t => {
    for (const [kept, option, sent] of [
      [true, 'Upgrade', 'Upgrade'],
      [false, 'Upgrade', 'close, Upgrade'],
      [true, 'Close, x-y', 'close, x-y'],
      [true, ', keep-alive ,x-close', 'x-close'],
    ] as const) {
      const made = new Class('', { status: 426, headers: { Connection: option, Upgrade: 'x' } });
      const server = await served(t, () => made);
      const peer = await Peer.connect(server);
      peer.send(`GET / HTTP/1.1\r\n${kept ? 'Host: a\r\n\r\n' : LAST}`);
      const [answer] = answersIn(await peer.until(received => received.endsWith('\r\n\r\n')));
      peer.close();
      t.equal(answer!.headers.get('connection'), sent);
      t.equal(answer!.headers.get('upgrade'), 'x');
    }
  });

  t.test(`a length that is declared for a stream of the ${name} Response`, async t => {
    const init = { headers: { 'content-length': '3' } };
    const right = await answer(t, () => new Class(texts('a', 'bc'), init));
    t.equal(right.headers.get('content-length'), '3');
    t.equal(right.body, 'abc');
    for (const pieces of [['a'], ['abc', 'd']]) {
      const failed: unknown[] = [];
      const server = await served(t, () => new Class(texts(...pieces), init), {
        onError: error => {
          failed.push(error);
          return undefined;
        },
      });
      const peer = await Peer.connect(server);
      peer.send(`GET / HTTP/1.1\r\n${LAST}`);
      const received = await peer.whole();
      peer.close();
      t.equal((failed[0] as { code: string }).code, 'ERR_HTTP_CONTENT_LENGTH_MISMATCH');
      t.ok(
        received === '' || peer.error !== null || received.includes(' 500 ') || received.length < 200,
        'it is cut, or an error',
      );
      t.notMatch(received, /abcd/);
    }
  });

  t.test(`HTTP/1.0 gets no chunks of the ${name} Response`, async t => {
    const { headers, body } = await answer(
      t,
      () => new Class(texts('a', 'b')),
      'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    );
    t.equal(headers.has('transfer-encoding'), false);
    t.equal(headers.get('connection'), 'close');
    t.equal(body, 'ab');
  });

  t.test(`CR and LF in headers of the ${name} Response are refused`, async t => {
    for (const [field, value] of [
      ['X', 'a\r\nSet-Cookie: b'],
      ['X', 'a\nb'],
      ['X', 'a\0b'],
      ['X\r\nY', 'a'],
      ['X:', 'a'],
      ['', 'a'],
      ['X', '☃'],
    ] as const) {
      t.throws(() => new Class('', { headers: { [field]: value } }), TypeError);
      t.throws(() => new Class('').headers.set(field, value), TypeError);
      t.throws(() => new Class('').headers.append(field, value), TypeError);
    }
    t.throws(() => new Class('', { statusText: 'a\r\nb' }), TypeError);
  });
}

t.test('a body that another library allows with a status that has none is not sent', async t => {
  let dropped = 0;
  const server = await served(t, request => {
    const status = Number(new URL(request.url).pathname.slice(1));
    if (status === 200) return new OwnResponse('next');
    const body = new ReadableStream({
      pull: controller => controller.enqueue(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')),
      cancel: () => {
        dropped++;
      },
    });
    const headers = new Headers({ 'content-length': '19' });
    return { status, statusText: '', headers, body, bodyUsed: false } as unknown as Response;
  });
  const paths = ['204', '304', '205', '200'];
  const requests = paths.map((path, i) => `GET /${path} HTTP/1.1\r\n${i === 3 ? LAST : 'Host: a\r\n\r\n'}`);
  const text = await talk(server, [requests.join('')]);
  t.same(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 204', 'HTTP/1.1 304', 'HTTP/1.1 205', 'HTTP/1.1 200']);
  t.equal(
    text
      .split('\r\n\r\n')
      .filter(part => !part.startsWith('HTTP'))
      .join(),
    'next',
  );
  t.equal(dropped, 3);
  t.match(await answer(t, () => ({ status: 200.5, headers: new Headers(), body: null }) as never), {
    status: 500,
  });
});

t.test('the type of a Blob is a header as well', t => {
  const blob = Object.create(new Blob(['x']), { type: { value: 'text/plain\r\nSet-Cookie: a=b' } });
  t.throws(() => new OwnResponse(blob), { code: 'ERR_INVALID_ARG_VALUE', name: 'TypeError' });
  t.end();
});

t.test('pieces of text, and empty ones', async t => {
  async function* pieces(): AsyncGenerator<string | Uint8Array> {
    yield '';
    yield 'ñ';
    await new Promise(resolve => setImmediate(resolve));
    yield bytes('b');
    yield '';
  }
  const { body } = await answer(t, () => new OwnResponse(pieces()));
  t.equal(body, Buffer.from('ñb').toString('latin1'));
});

t.test('bytes beyond ASCII in headers are sent as they are', async t => {
  const { headers, body } = await answer(t, () => new OwnResponse('ñ', { headers: { 'X-Name': 'caf\xe9' } }));
  t.equal(headers.get('x-name'), 'caf\xe9');
  t.equal(body, Buffer.from('ñ').toString('latin1'));
});

t.test('answers to pipelined requests keep their order, and small ones leave in one write', async t => {
  const server = await served(t, async request => {
    const { pathname } = new URL(request.url);
    if (pathname === '/slow') await new Promise(resolve => setTimeout(resolve, 20));
    return new OwnResponse(pathname);
  });
  const peer = await Peer.connect(server);
  const paths = ['/1', '/slow', '/2', '/3', '/slow', '/4'];
  peer.send(paths.map(path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  await peer.until(received => received.endsWith('/4'));
  t.same(
    answersIn(peer.received).map(({ body }) => body),
    paths,
  );
  peer.close();

  const sync = await served(t, request => new OwnResponse(new URL(request.url).pathname));
  const other = await Peer.connect(sync);
  const chunks: number[] = [];
  other.socket.on('data', chunk => chunks.push(chunk.length));
  const many = Array.from({ length: 200 }, (_, i) => `/${i}`);
  other.send(many.map(path => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  await other.until(received => received.endsWith('/199'));
  t.same(
    answersIn(other.received).map(({ body }) => body),
    many,
  );
  t.ok(chunks.length < 30, `${chunks.length} chunks`);
  other.close();
});

t.test('Expect: 100-continue', async t => {
  const server = await served(t, async request => {
    if (new URL(request.url).pathname === '/no') return new OwnResponse('no', { status: 403 });
    return new OwnResponse(await request.text());
  });
  const head = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`;
  const asked = await Peer.connect(server);
  asked.send(head('/'));
  t.equal(await asked.until(received => received.endsWith('\r\n\r\n')), 'HTTP/1.1 100 Continue\r\n\r\n');
  asked.send('abc');
  await asked.until(received => received.endsWith('abc'));
  t.equal(answersIn(asked.received).at(-1)!.status, 200);
  asked.close();

  const refused = await Peer.connect(server);
  refused.send(head('/no'));
  const [only, ...more] = answersIn(await refused.whole());
  t.equal(only!.status, 403, 'it need not be sent');
  t.equal(only!.headers.get('connection'), 'close', 'and may come or not');
  t.equal(more.length, 0);
  refused.close();
});

t.test('a small body that is not read is skipped', async t => {
  const server = await served(t, () => new OwnResponse('x'));
  const peer = await Peer.connect(server);
  const post = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n`;
  await peer.sendPieces([
    post,
    'x'.repeat(2500),
    'x'.repeat(2500),
    post + 'x'.repeat(5000),
    `GET / HTTP/1.1\r\n${LAST}`,
  ]);
  t.same(
    answersIn(await peer.whole()).map(({ status }) => status),
    [200, 200, 200],
  );
  peer.close();
});

t.test('the early answer to a large upload arrives whole', async t => {
  const text = 'no'.repeat(100_000);
  const server = await served(t, () => new OwnResponse(text, { status: 403 }), { maxBodySize: 1 << 30 });
  const peer = await Peer.connect(server);
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${1 << 23}\r\n\r\n`);
  peer.send(Buffer.alloc(1 << 22));
  peer.send(Buffer.alloc(1 << 22));
  const [only] = answersIn(await peer.whole());
  t.equal(only!.status, 403);
  t.equal(only!.headers.get('connection'), 'close');
  t.equal(only!.body, text);
  t.equal(peer.error, null);
  peer.close();
});

t.test('maxRequestsPerConnection', async t => {
  const server = await served(t, () => new OwnResponse(''), { maxRequestsPerConnection: 2 });
  const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  const answers = answersIn(await talk(server, [get + get + get]));
  t.same(
    answers.map(({ headers }) => headers.get('connection')),
    [undefined, 'close'],
  );
});

t.test('a status without a text of its own has the text that Node gives it', t => {
  t.strictSame(REASONS, { ...STATUS_CODES });
  t.end();
});
