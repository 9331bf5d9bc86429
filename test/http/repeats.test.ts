/** Requests and answers that are the same as the ones before: what is kept of those must show in nothing. */
import t from 'tap';
import { Response } from 'uasync/http';
import { Arrival, type ArrivalOwner } from '../../src/http/input/arrival.js';
import { Head } from '../../src/http/input/head.js';
import { input, Parser } from '../../src/http/input/llhttp.js';
import { checkHttp } from '../../src/http/options.js';
import { ResponseHead } from '../../src/http/output/response-head.js';
import { checkLeaks } from '../harness.js';
import { answersIn, Peer, served, talk } from './served.js';

checkLeaks();

const HOST = 'Host: a.example\r\n';
const LAST = `GET /last HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;

/** The head of a request that comes at once, as it is kept. */
function headOf(text: string): Head {
  const bytes = Buffer.from(text, 'latin1');
  input().set(bytes);
  const parser = Parser.acquire();
  try {
    const end = parser.execute(0, bytes.length);
    return new Head(parser, parser.complete ? end : -1);
  } finally {
    parser.release();
  }
}

t.test('a request is the same again only if each of its bytes is', async t => {
  for (const headers of ['', 'X-Long: '.padEnd(300, 'v').concat('\r\n')]) {
    const text = `GET /path?query HTTP/1.1\r\n${HOST}${headers}X-Empty:\r\nAccept: */*\r\n\r\n`;
    const head = headOf(text);
    const { length } = text;
    t.equal(head.length, length);
    const bytes = input();
    const at = 100;
    bytes.write(`${text}GET`, at, 'latin1');
    t.equal(head.isAt(bytes, at, at + length), true);
    t.equal(head.isAt(bytes, at, at + length + 3), true);
    t.equal(head.isAt(bytes, at, at + length - 1), false);
    t.equal(head.isAt(bytes, at - 1, at + length), false);
    for (let i = 0; i < length; i++) {
      bytes[at + i]! ^= 1;
      t.equal(head.isAt(bytes, at, at + length), false, `byte ${i} of ${length}`);
      bytes[at + i]! ^= 1;
    }
  }
});

t.test('only what has neither a body nor an upgrade, and is whole, may come again', async t => {
  const heads = [
    `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\na`,
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: x\r\n\r\n`,
    `GET / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\n`,
  ];
  for (const text of heads) t.equal(headOf(text).length, -1, text);
  t.equal(headOf(`POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`).length > 0, true);
});

t.test('requests that are the same, nearly the same, and not', async t => {
  const seen: string[] = [];
  const server = await served(t, (request, info) => {
    const { method, url, headers } = request;
    seen.push(`${method} ${url} ${headers.get('x')}`);
    t.equal(info.server, server);
    // It must not be seen by the next.
    headers.set('x', 'changed');
    return new Response(method);
  });
  const get = (path: string, value: string): string => `GET ${path} HTTP/1.1\r\n${HOST}X: ${value}\r\n\r\n`;
  const post = `POST /a HTTP/1.1\r\n${HOST}X: 1\r\nContent-Length: 3\r\n\r\nabc`;
  const requests = [
    get('/a', '1'),
    get('/a', '1'),
    get('/a', '2'),
    get('/b', '2'),
    get('/b', '2'),
    get('/b', '2 '),
    get('/b', '2 '),
    post,
    post,
    get('/a', '1'),
    get('/a', '1'),
    get('/a', '1').replace('HTTP/1.1', 'HTTP/1.0').replace(HOST, `${HOST}Connection: keep-alive\r\n`),
    get('/a', '1').replace('HTTP/1.1', 'HTTP/1.0').replace(HOST, `${HOST}Connection: keep-alive\r\n`),
    get('/a', '1').replace('GET', 'PUT'),
    get('/a', '1').replace('GET', 'PUT'),
    LAST,
  ];
  const expected = [
    ...[
      'GET /a 1',
      'GET /a 1',
      'GET /a 2',
      'GET /b 2',
      'GET /b 2',
      'GET /b 2',
      'GET /b 2',
      'POST /a 1',
      'POST /a 1',
    ],
    ...['GET /a 1', 'GET /a 1', 'GET /a 1', 'GET /a 1', 'PUT /a 1', 'PUT /a 1', 'GET /last null'],
  ].map(text => text.replace(' /', ' http://a.example/'));
  const text = requests.join('');
  // Each by itself, all at once, and in pieces that end anywhere.
  const ways = [
    requests,
    [text],
    ...[1, 7, 50, 150].map(size => text.match(new RegExp(`[^]{1,${size}}`, 'g'))!),
  ];
  for (const pieces of ways) {
    seen.length = 0;
    const answers = answersIn(await talk(server, pieces));
    t.same(seen, expected, `in ${pieces.length} pieces`);
    t.same(
      answers.map(({ status, body }) => `${status} ${body}`),
      expected.map(line => `200 ${line.split(' ')[0]}`),
    );
  }
});

t.test('what comes behind a repeated request is judged as ever', async t => {
  const server = await served(t, () => new Response('ok'));
  const get = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  for (const [more, status] of [
    ['bad\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\n${HOST}Host: b\r\n\r\n`, 400],
    [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`, 414],
    [`GET / HTTP/1.1\r\n${HOST} folded\r\n\r\n`, 400],
  ] as const) {
    const answers = answersIn(await talk(server, [get, get, get + more]));
    t.same(
      answers.map(answer => answer.status),
      [200, 200, 200, status],
    );
  }
  // A last one that is cut short.
  const answers = answersIn(await talk(server, [get, get, get.slice(0, -1)], true));
  t.same(
    answers.map(answer => answer.status),
    [200, 200, 400],
  );
});

t.test('the most requests of a connection, and one that ends it, count when they are repeated', async t => {
  const server = await served(t, () => new Response('ok'), { maxRequestsPerConnection: 3 });
  const get = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  const answers = answersIn(await talk(server, [get.repeat(5)]));
  t.equal(answers.length, 3);
  t.equal(answers[2]!.headers.get('connection'), 'close');
  t.equal(answersIn(await talk(server, [LAST + LAST])).length, 1);
});

t.test('a repeated request is not parsed again, until it is forgotten', async t => {
  const heads: Head[] = [];
  const owner: ArrivalOwner = {
    canBegin: true,
    closed: false,
    onFirstByte: () => {},
    onHead: head => {
      heads.push(head);
      return null;
    },
    onProgress: () => {},
    onComplete: () => {},
    onRefused: () => t.fail('refused'),
    onBroken: () => t.fail('broken'),
  };
  const arrival = new Arrival(
    owner,
    checkHttp(() => new Response(), {}),
  );
  const arrive = (text: string): void => {
    input().write(text, 'latin1');
    arrival.parse(text.length);
  };
  const get = `GET / HTTP/1.1\r\n${HOST}\r\n`;
  arrive(get + get);
  arrive(get);
  arrival.forget();
  arrive(get);
  arrive(get.slice(0, 20));
  arrive(get.slice(20));
  t.equal(heads.length, 5);
  t.equal(heads[1], heads[0]);
  t.equal(heads[2], heads[0]);
  t.not(heads[3], heads[0]);
  t.not(heads[4], heads[3]);
  t.equal(arrival.underWay, false);
});

t.test('answers with the same head, and with others', async t => {
  let headers: Record<string, string> = {};
  let body: string | Blob | ReadableStream = '';
  let status = 200;
  const server = await served(t, () => {
    const response = new Response(body, { status, headers });
    // Those that were sent before must not change, nor those that come.
    response.headers.append('x-late', String(status));
    return response;
  });
  const blob = new Blob(['blob']);
  const cases: [number, Record<string, string>, () => string | Blob | ReadableStream][] = [
    [200, { a: '1' }, () => 'one'],
    [200, { a: '1' }, () => 'and two'],
    [200, { a: '2' }, () => 'one'],
    [200, { b: '2' }, () => 'one'],
    [201, { b: '2' }, () => 'one'],
    [201, { b: '2', c: '' }, () => 'ñ'],
    [201, { b: '2', c: '' }, () => blob],
    [201, { b: '2', c: '', 'content-length': '3' }, () => 'longer'],
    [201, { b: '2', c: '', 'content-length': '3' }, () => blob],
    [201, { b: '2', c: '', 'content-length': '6' }, () => new Blob(['stream']).stream() as ReadableStream],
    [201, { b: '2', c: '', 'content-length': '6' }, () => 'longer'],
    [201, { date: 'now' }, () => 'dated'],
    [201, { date: 'then' }, () => 'dated'],
    [201, {}, () => 'undated'],
    [201, { connection: 'close' }, () => 'last'],
  ];
  const peer = await Peer.connect(server);
  for (const [itsStatus, itsHeaders, itsBody] of cases) {
    [status, headers, body] = [itsStatus, itsHeaders, itsBody()];
    const text =
      typeof body === 'string' ? Buffer.from(body).toString('latin1') : body === blob ? 'blob' : 'stream';
    peer.received = '';
    peer.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    const [answer] = answersIn(await peer.until(received => received.endsWith(`\r\n\r\n${text}`)));
    t.equal(answer!.status, status);
    t.equal(answer!.body, text);
    t.equal(answer!.headers.get('content-length'), String(text.length));
    for (const [name, value] of Object.entries(headers)) {
      if (name !== 'content-length') t.equal(answer!.headers.get(name), value);
    }
    for (const name of ['a', 'b', 'c']) if (!(name in headers)) t.equal(answer!.headers.has(name), false);
    t.equal(answer!.headers.get('x-late'), String(status));
    t.match(answer!.headers.get('date'), headers.date ?? / GMT$/);
  }
  await peer.whole();
  t.equal(peer.ended, true);
  peer.close();
});

t.test('a head is that of the one before only if all that it is made of is', async t => {
  const list = ['a', '1', 'b', '2'];
  const head = ResponseHead.of(200, '', list, 'text/plain');
  t.equal(ResponseHead.of(200, '', ['a', '1', 'b', '2'], 'text/plain'), head);
  list[1] = '3';
  t.equal(ResponseHead.of(200, '', ['a', '1', 'b', '2'], 'text/plain'), head, 'its list is its own');
  const others: Parameters<typeof ResponseHead.of>[] = [
    [201, '', ['a', '1', 'b', '2'], 'text/plain'],
    [200, 'Fine', ['a', '1', 'b', '2'], 'text/plain'],
    [200, '', ['a', '1', 'b', '2'], null],
    [200, '', ['a', '1', 'b', '3'], 'text/plain'],
    [200, '', ['a', '1', 'c', '2'], 'text/plain'],
    [200, '', ['a', '1'], 'text/plain'],
    [200, '', ['a', '1', 'b', '2', 'b', '2'], 'text/plain'],
  ];
  for (const other of others) {
    const before = ResponseHead.of(200, '', ['a', '1', 'b', '2'], 'text/plain');
    t.not(ResponseHead.of(...other), before, JSON.stringify(other));
  }
});
