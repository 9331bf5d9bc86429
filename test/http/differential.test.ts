/** Our Response, Headers and requests beside the platform's: the same calls have the same results. */
import { inspect } from 'node:util';
import t from 'tap';
import { Headers as OwnHeaders, Response as OwnResponse, replaceGlobals } from 'uasync/http';
import { seededRandom } from '../harness.js';
import { served } from './served.js';

/** What a call comes to: its value, or the kind of its error. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    return { value: await call() };
  } catch (error) {
    return { error: (error as Error).constructor.name };
  }
}

// biome-ignore lint/suspicious/noExplicitAny: both classes are called alike
type Any = any;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const makers: [what: string, make: (Class: Any) => Any][] = [
  ['nothing', Class => new Class()],
  ['null', Class => new Class(null, { status: 204 })],
  ['text', Class => new Class('añ☃')],
  ['a lone surrogate', Class => new Class('a\ud800b')],
  ['a mark', Class => new Class('\ufeffx')],
  ['JSON', Class => new Class('{"a":[1,2]}', { headers: { 'Content-Type': 'application/json' } })],
  ['a number', Class => new Class(42)],
  ['an object', Class => new Class({})],
  ['bytes', Class => new Class(bytes('abc'))],
  ['a view of words', Class => new Class(new Uint16Array([1, 2, 3]))],
  ['a buffer', Class => new Class(bytes('abc').buffer)],
  ['no bytes', Class => new Class(new Uint8Array())],
  ['a Blob', Class => new Class(new Blob(['abc'], { type: 'Text/X' }))],
  ['parameters', Class => new Class(new URLSearchParams('a=1&b=%20'))],
  ['a stream', Class => new Class(new Blob(['abc']).stream())],
  ['a body and 204', Class => new Class('x', { status: 204 })],
  ['no text and 304', Class => new Class('', { status: 304 })],
  ['status 199', Class => new Class('', { status: 199 })],
  ['status 600', Class => new Class('', { status: 600 })],
  ['status text', Class => new Class('', { status: 299, statusText: 'Fine' })],
  ['bad status text', Class => new Class('', { statusText: 'a\nb' })],
  [
    'pairs',
    Class =>
      new Class('', {
        headers: [
          ['A', '1'],
          ['a', '2'],
          ['Set-Cookie', 'x'],
          ['set-cookie', 'y'],
          ['Cookie', 'a=1'],
          ['cookie', 'b=2'],
        ],
      }),
  ],
  ['odd pairs', Class => new Class('', { headers: [['A', '1', '2']] })],
  ['headers of headers', Class => new Class('', { headers: new Headers({ X: '1' }) })],
  ['bad names', Class => new Class('', { headers: { 'a b': '1' } })],
  ['bad values', Class => new Class('', { headers: { a: '1\r\n2' } })],
  ['blanks around values', Class => new Class('', { headers: { a: ' \t1 \r\n' } })],
  ['null headers', Class => new Class('', { headers: null })],
  ['an init that is none', Class => new Class('', 5)],
  ['null for an init', Class => new Class('', null)],
  ['status 200.7', Class => new Class('', { status: 200.7 })],
  ['status 65736', Class => new Class('', { status: 65_736 })],
  ['status null', Class => new Class('', { status: null })],
  ['status text', Class => new Class('', { status: '201' })],
  ['a symbol', Class => new Class(Symbol('x'))],
  ...['Text/X; Charset=UTF-8', 'a/b, c/d', 'none', 'a/b;c="d e";c=f;;x', '', 'A/B'].map(
    (type): [string, (Class: Any) => Any] => [
      `type ${type}`,
      Class => new Class('x', { headers: { 'content-type': type } }),
    ],
  ),
  ['json() of a number for an init', Class => Class.json({}, 5)],
  ['redirect() by text', Class => Class.redirect('http://a', '301')],
  ['json()', Class => Class.json({ a: 'ñ' })],
  ['json() with headers', Class => Class.json([1], { status: 201, headers: { 'content-type': 'x/y' } })],
  ['json() of nothing', Class => Class.json(undefined)],
  ['redirect()', Class => Class.redirect('http://a/b?c', 307)],
  ['redirect() by default', Class => Class.redirect('http://a')],
  ['redirect() by 200', Class => Class.redirect('http://a', 200)],
  ['redirect() to nowhere', Class => Class.redirect('nowhere')],
];

const uses: [what: string, use: (response: Any) => unknown][] = [
  [
    'properties',
    r => [r.status, r.statusText, r.ok, r.type, r.url, r.redirected, r.bodyUsed, r.body === null],
  ],
  ['headers', r => [...r.headers]],
  ['cookies', r => r.headers.getSetCookie()],
  ['text()', r => r.text()],
  ['json()', r => r.json()],
  ['bytes', async r => [...new Uint8Array(await r.arrayBuffer())]],
  [
    'blob()',
    async r => {
      const blob = await r.blob();
      return [blob.type, blob.size, await blob.text()];
    },
  ],
  ['twice', async r => [await r.text(), r.bodyUsed, await r.text()]],
  [
    'a clone',
    async r => {
      const clone = r.clone();
      return [await clone.text(), await r.text(), clone.status, [...clone.headers]];
    },
  ],
  [
    'a clone of what was read',
    async r => {
      await r.text();
      return r.clone().status;
    },
  ],
  [
    'as a stream',
    async r => {
      const parts: number[] = [];
      for await (const chunk of r.body) parts.push(...chunk);
      return [parts, r.bodyUsed];
    },
  ],
  [
    'a locked body',
    r => {
      r.body.getReader();
      return r.text();
    },
  ],
  [
    'a cancelled body',
    async r => {
      await r.body.cancel();
      return [r.bodyUsed, await outcome(() => r.text())];
    },
  ],
  ['a form', async r => [...(await r.formData())]],
  [
    'changed headers',
    r => {
      r.headers.set('X-New', '1');
      r.headers.append('x-new', '2');
      r.headers.delete('content-type');
      return [...r.headers];
    },
  ],
  ['its kind', r => [r instanceof Response, r.headers instanceof Headers, Object.prototype.toString.call(r)]],
];

t.test('Response', async t => {
  for (const [made, make] of makers) {
    const own = await outcome(() => make(OwnResponse));
    const platform = await outcome(() => make(Response));
    t.same(Object.keys(own as object), Object.keys(platform as object), made);
    if ('error' in (own as object)) t.same(own, platform, made);
    else {
      for (const [used, use] of uses) {
        // Headers of a redirection can be changed here.
        if (used === 'changed headers' && made.startsWith('redirect()')) continue;
        t.same(
          await outcome(() => use(make(OwnResponse))),
          await outcome(() => use(make(Response))),
          `${used} of ${made}`,
        );
      }
    }
  }
});

t.test('Headers, by random calls', async t => {
  const random = seededRandom(t);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const names = ['A', 'a', 'B-c', 'b-C', 'Set-Cookie', 'set-cookie', '', 'a b', 'x\ny', 'Z'];
  const values = ['1', ' 2 ', '', 'a, b', 'x\ny', '\xe9', '☃', '\t\r\n', 'a\0'];
  const calls: ((headers: Any) => unknown)[] = [];
  for (let i = 0; i < 400; i++) {
    const [name, value] = [pick(names), pick(values)];
    calls.push(
      pick<(headers: Any) => unknown>([
        h => h.append(name, value),
        h => h.append(name, value),
        h => h.set(name, value),
        h => h.delete(name),
        h => h.get(name),
        h => h.has(name),
        h => h.getSetCookie(),
        h => [...h],
        h => [...h.keys()],
        h => [...h.values()],
        // What changes while it is listed.
        h =>
          Array.from(h, ([key, text]: [string, string]) => {
            if (text === '1') h.delete(key);
            else if (key === 'b-c') h.append('c', text);
            return key;
          }),
        h => {
          const all: unknown[] = [];
          h.forEach((value: string, name: string) => {
            all.push([name, value]);
            if (value === 'a, b') h.delete(name);
          });
          return all;
        },
      ]),
    );
  }
  const [own, platform] = [new OwnHeaders(), new Headers()];
  for (const [i, call] of calls.entries()) {
    t.same(await outcome(() => call(own)), await outcome(() => call(platform)), `call ${i}: ${call}`);
  }
});

t.test('a request', async t => {
  const seen: unknown[] = [];
  const look = async (request: Request): Promise<unknown[]> => [
    request.method,
    request.url,
    [...request.headers].filter(([name]) => name.startsWith('x-')),
    request.mode === undefined,
    request.credentials,
    request.cache,
    request.redirect,
    request.referrer,
    request.integrity,
    request.keepalive,
    request.destination,
    request.signal.aborted,
    new (request.constructor as typeof Request)('http://a/b').url,
    request.bodyUsed,
    await request.clone().text(),
    await request.text(),
    request.bodyUsed,
    await outcome(() => request.text()),
    await outcome(() => request.clone()),
  ];
  const server = await served(t, async request => {
    seen.push(await look(request));
    return new OwnResponse('');
  });
  const url = new URL('/a b/%7e/./x?y=<>&z#f', server.url);
  const init = { method: 'POST', body: 'ñ', headers: { 'X-A': ' 1 ', 'x-b': '\xe9' } };
  await (await fetch(url, init)).text();
  url.hash = '';
  t.same(seen[0], await look(new Request(url, init)));
});

t.test('instances of a class that extends Response', t => {
  class Special extends OwnResponse {}
  t.ok(new Special() instanceof Special);
  t.ok(new Special() instanceof Response);
  for (const other of [new OwnResponse(), new Response(), {}, null]) {
    t.equal((other as unknown) instanceof Special, false);
  }
  const restore = replaceGlobals();
  class SpecialRequest extends Request {}
  t.ok(new SpecialRequest('http://a') instanceof Request);
  t.equal(new Request('http://a') instanceof SpecialRequest, false);
  restore();
  t.end();
});

t.test('what util.inspect shows of headers', t => {
  for (const pairs of [
    [],
    [
      ['set-cookie', 'a'],
      ['set-cookie', 'b'],
      ['x', '1'],
    ],
  ] as [string, string][][]) {
    t.equal(inspect(new OwnHeaders(pairs)), inspect(new Headers(pairs)));
    t.equal(inspect([{ a: new OwnHeaders(pairs) }]), inspect([{ a: new Headers(pairs) }]));
  }
  t.end();
});

t.test('what util.inspect shows of a response', t => {
  const init = { status: 201, headers: { a: 'b' } };
  // Our body is not a stream until it is read.
  const platform = inspect(new Response('x', init)).replace(/ {2}body: .*\n/, '');
  t.equal(inspect(new OwnResponse('x', init)), platform);
  t.end();
});

/** The pieces of a text stream, as one. */
async function textOf(body: { textStream(): AsyncIterable<string> }): Promise<string> {
  let text = '';
  for await (const piece of body.textStream()) text += piece;
  return text;
}

t.test('textStream, which Node 26 has as well', async t => {
  for (const [body, text] of [
    ['añ☃', 'añ☃'],
    ['\ufeffx', 'x'],
    [null, ''],
    [Uint8Array.of(0xff, 0x41), '\ufffdA'],
  ] as const) {
    t.equal(await textOf(new OwnResponse(body)), text);
  }
  const response = new OwnResponse('x');
  response.textStream();
  t.same([response.bodyUsed, response.body?.locked], [true, true]);
  t.throws(() => response.textStream(), { code: 'ERR_INVALID_STATE' });
  const server = await served(t, async request => new OwnResponse(await textOf(request as never)));
  const answer = await fetch(server.url, { method: 'POST', body: 'ñ' });
  t.equal(await answer.text(), 'ñ');
});

t.test('no method of the platform is left to objects that it does not know', async t => {
  const missing = (own: object, platform: object): string[] =>
    Object.entries(Object.getOwnPropertyDescriptors(platform))
      .filter(([, { get, value }]) => get !== undefined || typeof value === 'function')
      .map(([name]) => name)
      .filter(name => !Object.hasOwn(Object.getPrototypeOf(own), name));
  t.same(missing(new OwnResponse(), Response.prototype), []);
  t.same(missing(new OwnHeaders(), Headers.prototype), []);
  const server = await served(t, request => {
    t.same(missing(request, Request.prototype), []);
    t.same(missing(request.headers, Headers.prototype), []);
    return new OwnResponse();
  });
  await (await fetch(server.url)).text();
});
