/** Requests as RFC 9110 and 9112 have them, over raw sockets: what is served, what is refused, and how. */
import t from 'tap';
import { Response, type Server } from 'uasync/http';
import { checkLeaks } from '../harness.js';
import { answersIn, served, talk } from './served.js';

checkLeaks();

interface Case {
  what: string;
  request: string;
  /** The statuses of the answers, in order. */
  answers: number[];
  /** What handlers have seen: method, path and body. */
  seen?: string[];
}

const H = 'Host: a\r\n';
const LAST = 'Connection: close\r\n';

const cases: Case[] = [
  // --- What is served ---
  { what: 'a GET', request: `GET /x?y=1 HTTP/1.1\r\n${H}${LAST}\r\n`, answers: [200], seen: ['GET /x?y=1 '] },
  {
    what: 'a POST with a length',
    request: `POST / HTTP/1.1\r\n${H}${LAST}Content-Length: 5\r\n\r\nhello`,
    answers: [200],
    seen: ['POST / hello'],
  },
  {
    what: 'chunks',
    request: `POST / HTTP/1.1\r\n${H}${LAST}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`,
    answers: [200],
    seen: ['POST / hello'],
  },
  {
    what: 'chunks with extensions and trailers',
    request: `POST / HTTP/1.1\r\n${H}${LAST}transfer-encoding: Chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n`,
    answers: [200],
    seen: ['POST / hello'],
  },
  {
    what: 'an empty line before',
    request: `\r\nGET / HTTP/1.1\r\n${H}${LAST}\r\n`,
    answers: [200],
    seen: ['GET / '],
  },
  {
    what: 'two pipelined',
    request: `GET /1 HTTP/1.1\r\n${H}\r\nPOST /2 HTTP/1.1\r\n${H}${LAST}Content-Length: 1\r\n\r\nx`,
    answers: [200, 200],
    seen: ['GET /1 ', 'POST /2 x'],
  },
  {
    what: 'what follows a last request',
    request: `GET /1 HTTP/1.1\r\n${H}${LAST}\r\nGET /2 HTTP/1.1\r\n${H}\r\n`,
    answers: [200],
    seen: ['GET /1 '],
  },
  { what: 'HTTP/1.0', request: 'GET / HTTP/1.0\r\n\r\n', answers: [200], seen: ['GET / '] },
  {
    what: 'HTTP/1.0 that is kept',
    request: `GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n`,
    answers: [200, 200],
    seen: ['GET /1 ', 'GET /2 '],
  },
  {
    what: 'the absolute form',
    request: `GET http://a/x HTTP/1.1\r\n${H}${LAST}\r\n`,
    answers: [200],
    seen: ['GET /x '],
  },
  {
    what: 'HTTP/1.0 that says both keep-alive and close',
    request: `GET /1 HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\nGET /2 HTTP/1.0\r\n\r\n`,
    answers: [200],
    seen: ['GET /1 '],
  },
  {
    what: 'the absolute form in HTTP/1.0, without a Host',
    request: 'GET http://b/x HTTP/1.0\r\n\r\n',
    answers: [200],
    seen: ['GET /x '],
  },
  { what: 'OPTIONS *', request: `OPTIONS * HTTP/1.1\r\n${H}\r\n`, answers: [204], seen: [] },
  {
    what: 'an upgrade that is not taken',
    request: `GET /1 HTTP/1.1\r\n${H}Connection: upgrade\r\nUpgrade: x\r\n\r\nGET /2 HTTP/1.1\r\n${H}${LAST}\r\n`,
    answers: [200, 200],
    seen: ['GET /1 ', 'GET /2 '],
  },
  {
    what: 'empty values and blanks around values',
    request: `GET / HTTP/1.1\r\n${H}${LAST}X-Empty:\r\nX-Blank: \t v \t\r\n\r\n`,
    answers: [200],
    seen: ['GET / '],
  },
  {
    what: 'bytes beyond ASCII in a value',
    request: `GET / HTTP/1.1\r\n${H}${LAST}X-Name: caf\xe9\r\n\r\n`,
    answers: [200],
    seen: ['GET / '],
  },
  // --- What is refused ---
  { what: 'no method', request: `\0\0\0\r\n${H}\r\n`, answers: [400], seen: [] },
  { what: 'an unknown method', request: `BREW / HTTP/1.1\r\n${H}\r\n`, answers: [501], seen: [] },
  { what: 'CONNECT', request: `CONNECT a:443 HTTP/1.1\r\n${H}\r\n`, answers: [501], seen: [] },
  { what: 'TRACE', request: `TRACE / HTTP/1.1\r\n${H}\r\n`, answers: [501], seen: [] },
  { what: 'the preface of HTTP/2', request: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', answers: [505], seen: [] },
  { what: 'HTTP/2 in a request line', request: `GET / HTTP/2.0\r\n${H}\r\n`, answers: [505], seen: [] },
  { what: 'HTTP/3.7', request: `GET / HTTP/3.7\r\n${H}\r\n`, answers: [505], seen: [] },
  { what: 'HTTP/0.9', request: 'GET /\r\n\r\n', answers: [505], seen: [] },
  { what: 'another protocol', request: `GET / FTP/1.1\r\n${H}\r\n`, answers: [400], seen: [] },
  { what: 'no Host', request: 'GET / HTTP/1.1\r\n\r\n', answers: [400], seen: [] },
  { what: 'two Hosts', request: `GET / HTTP/1.1\r\n${H}${H}\r\n`, answers: [400], seen: [] },
  { what: 'an empty Host', request: 'GET / HTTP/1.1\r\nHost:\r\n\r\n', answers: [400], seen: [] },
  { what: 'a Host with a path', request: 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', answers: [400], seen: [] },
  { what: 'a Host with a user', request: 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', answers: [400], seen: [] },
  {
    what: 'another host in the absolute form',
    request: `GET http://b/ HTTP/1.1\r\n${H}\r\n`,
    answers: [400],
    seen: [],
  },
  { what: 'a target that is no path', request: `GET x HTTP/1.1\r\n${H}\r\n`, answers: [400], seen: [] },
  { what: 'a fragment', request: `GET /#x HTTP/1.1\r\n${H}\r\n`, answers: [400], seen: [] },
  { what: 'two blanks before the target', request: `GET  / HTTP/1.1\r\n${H}\r\n`, answers: [400], seen: [] },
  { what: 'two blanks behind the target', request: `GET /  HTTP/1.1\r\n${H}\r\n`, answers: [400], seen: [] },
  { what: 'LF for CRLF', request: `GET / HTTP/1.1\nHost: a\n\n`, answers: [400], seen: [] },
  {
    what: 'a bare CR in a value',
    request: `GET / HTTP/1.1\r\n${H}X: a\rb\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a bare LF in a value',
    request: `GET / HTTP/1.1\r\n${H}X: a\nY: b\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  { what: 'a NUL in a value', request: `GET / HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`, answers: [400], seen: [] },
  { what: 'a folded value', request: `GET / HTTP/1.1\r\n${H}X: a\r\n b\r\n\r\n`, answers: [400], seen: [] },
  {
    what: 'a blank before the colon',
    request: `GET / HTTP/1.1\r\n${H}X : a\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a blank before the first name',
    request: `GET / HTTP/1.1\r\n X: a\r\n${H}\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a name that is no token',
    request: `GET / HTTP/1.1\r\n${H}X(y): a\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  { what: 'a line without a colon', request: `GET / HTTP/1.1\r\n${H}X\r\n\r\n`, answers: [400], seen: [] },
  { what: 'an empty name', request: `GET / HTTP/1.1\r\n${H}: a\r\n\r\n`, answers: [400], seen: [] },
  {
    what: 'two lengths that differ',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'two lengths that agree',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a list of lengths',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: 1, 1\r\n\r\nx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a signed length',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: +1\r\n\r\nx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a negative length',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: -1\r\n\r\nx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a length in hex',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: 0x1\r\n\r\nx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'an empty length',
    request: `POST / HTTP/1.1\r\n${H}Content-Length:\r\n\r\nx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a length beyond 64 bits',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: 99999999999999999999\r\n\r\nx`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a length beyond the limit',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: 1001\r\n\r\nx`,
    answers: [413],
    seen: [],
  },
  {
    what: 'a length and chunks',
    request: `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'chunks and a length',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'a coding that is unknown',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    answers: [501],
    seen: [],
  },
  {
    what: 'a coding that is not the last',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'identity',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'chunked, twice in a header',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'chunked, in two headers',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'chunks of HTTP/1.0',
    request: `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    answers: [400],
    seen: [],
  },
  {
    what: 'another expectation',
    request: `POST / HTTP/1.1\r\n${H}Expect: tea\r\nContent-Length: 1\r\n\r\nx`,
    answers: [417],
    seen: [],
  },
  {
    what: 'another expectation beside 100-continue',
    request: `POST / HTTP/1.1\r\n${H}Expect: tea\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx`,
    answers: [417],
    seen: [],
  },
  {
    what: 'a head that is too large',
    request: `GET / HTTP/1.1\r\n${H}X: ${'x'.repeat(700)}\r\n\r\n`,
    answers: [431],
    seen: [],
  },
  {
    what: 'too many headers',
    request: `GET / HTTP/1.1\r\n${H}${'X: y\r\n'.repeat(20)}\r\n`,
    answers: [431],
    seen: [],
  },
  {
    what: 'a target that is too long',
    request: `GET /${'x'.repeat(700)} HTTP/1.1\r\n${H}\r\n`,
    answers: [414],
    seen: [],
  },
];

/** What a body is refused for when the handler has it already: it gets an error. */
const brokenBodies: Case[] = [
  {
    what: 'a chunk without a size',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n\r\n`,
    answers: [400],
  },
  {
    what: 'a size that is none',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nx\r\n`,
    answers: [400],
  },
  {
    what: 'a signed size',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n`,
    answers: [400],
  },
  {
    what: 'a size with a prefix',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n`,
    answers: [400],
  },
  {
    what: 'a size beyond 64 bits',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n`,
    answers: [400],
  },
  {
    what: 'LF behind a size',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\nx\r\n`,
    answers: [400],
  },
  {
    what: 'a blank behind a size',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n`,
    answers: [400],
  },
  {
    what: 'bytes behind a chunk',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n`,
    answers: [400],
  },
  {
    what: 'LF behind a chunk',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n`,
    answers: [400],
  },
  {
    what: 'a body that is too large',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1001)}\r\n0\r\n\r\n`,
    answers: [413],
  },
  {
    what: 'extensions without an end',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}`,
    answers: [413],
  },
  {
    what: 'trailers without an end',
    request: `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n${'X: y\r\n'.repeat(4000)}`,
    answers: [413],
  },
];

const LIMITS = { maxHeaderSize: 600, maxHeaders: 20, maxBodySize: 1000 };

/** Has its handler note what it sees. */
async function noting(test: Parameters<typeof served>[0], seen: string[]): Promise<Server> {
  return served(
    test,
    async request => {
      const body = await request.text();
      const { pathname, search } = new URL(request.url);
      seen.push(`${request.method} ${pathname}${search} ${body}`);
      return new Response('ok');
    },
    LIMITS,
  );
}

function fragmentations(request: string): string[][] {
  const all = [[request]];
  if (request.length < 400) {
    all.push([...request]);
    const middle = request.length >> 1;
    all.push([request.slice(0, middle), request.slice(middle)]);
  }
  return all;
}

for (const { what, request, answers, seen } of cases) {
  t.test(what, async t => {
    for (const pieces of fragmentations(request)) {
      const handled: string[] = [];
      const server = await noting(t, handled);
      const received = answersIn(await talk(server, pieces));
      t.same(
        received.map(({ status }) => status),
        answers,
        `in ${pieces.length} pieces`,
      );
      t.equal(received.at(-1)?.headers.get('connection'), 'close');
      t.same(handled, seen);
    }
  });
}

t.test('a refused HEAD has no body, and every answer a date', async t => {
  const methods = ['HEAD', 'GET'];
  for (const [line, headers, status] of [
    ['/ HTTP/1.1', '', 400],
    ['/ HTTP/1.1', 'Host: a b\r\n', 400],
    ['/ HTTP/1.1', `${H}a b: c\r\n`, 400],
    ['/ HTTP/1.1', `${H}Expect: tea\r\n`, 417],
    ['/ HTTP/1.1', `${H}${'X: y\r\n'.repeat(20)}`, 431],
    ['/ HTTP/2.0', H, 505],
  ] as const) {
    for (const method of methods) {
      const request = `${method} ${line}\r\n${headers}\r\n`;
      for (const pieces of fragmentations(request)) {
        const text = await talk(await noting(t, []), pieces);
        const [answer] = answersIn(text, [method]);
        t.equal(answer!.status, status, request);
        t.equal(text.slice(answer!.head.length) === '', method === 'HEAD', request);
        t.ok(Number(answer!.headers.get('content-length')) > 0);
        t.ok(answer!.headers.get('date'));
      }
    }
  }
  // A head that does not end.
  const [unfinished] = answersIn(await talk(await noting(t, []), ['HEAD / HTTP/1.1\r\n'], true), methods);
  t.equal(unfinished!.status, 400);
  const [options] = answersIn(await talk(await noting(t, []), [`OPTIONS * HTTP/1.1\r\n${H}\r\n`]));
  t.ok(options!.headers.get('date'));
});

for (const { what, request, answers } of brokenBodies) {
  t.test(what, async t => {
    for (const pieces of fragmentations(request)) {
      const handled: string[] = [];
      const server = await noting(t, handled);
      const received = answersIn(await talk(server, pieces));
      t.same(
        received.map(({ status }) => status),
        answers,
        `in ${pieces.length} pieces`,
      );
      t.equal(received.at(-1)?.headers.get('connection'), 'close');
      t.same(handled, []);
    }
  });
}

t.test('chunks, cut in two at each byte', async t => {
  const seen: string[] = [];
  const server = await noting(t, seen);
  const one = `POST /p?q HTTP/1.1\r\n${H}X-Empty:\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: t\r\n\r\n`;
  const last = `GET / HTTP/1.1\r\n${H}${LAST}\r\n`;
  for (let at = 1; at < one.length; at++) {
    seen.length = 0;
    const received = answersIn(await talk(server, [one.slice(0, at), one.slice(at) + last]));
    t.same(
      received.map(({ status }) => status),
      [200, 200],
      `at ${at}`,
    );
    t.same(seen, ['POST /p?q abc', 'GET / ']);
  }
});

t.test('maxHeaderSize counts a head alike, whatever the pieces are in which it arrives', async t => {
  const start = `GET / HTTP/1.1\r\n${H}Connection: close\r\nX: `;
  for (const [size, status] of [
    [LIMITS.maxHeaderSize, 200],
    [LIMITS.maxHeaderSize + 1, 431],
  ] as const) {
    const head = start + 'y'.repeat(size - start.length);
    for (let cut = 0; cut <= 4; cut++) {
      const server = await noting(t, []);
      const end = '\r\n\r\n';
      const pieces = [head + end.slice(0, cut), end.slice(cut)].filter(piece => piece !== '');
      t.equal(answersIn(await talk(server, pieces))[0]?.status, status, `${size}, cut at ${cut}`);
    }
  }
});
