/**
 * Random conversations, each with this server and with `node:http`: valid requests, odd and malformed ones, in random
 * pieces. What both serve, handlers see alike, and answers are framed alike. This server serves nothing that Node
 * refuses. What it refuses beside that has a reason, of those that are listed. UASYNC_FUZZ_SECONDS makes it longer.
 */
import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import t from 'tap';
import { Response } from 'uasync/http';
import { type Connection, listen } from 'uasync/net';
import { checkHttp } from '../../src/http/options.js';
import { serveOn } from '../../src/http/server/serve.js';
import { checkLeaks, seededRandom, turns, until } from '../harness.js';
import { answersIn, CutOff, HOST, Peer, type RawAnswer } from './served.js';

checkLeaks();

const SECONDS = Number(process.env.UASYNC_FUZZ_SECONDS ?? 0);
const CONVERSATIONS = 120;
t.setTimeout((SECONDS + 250) * 1000);

const random = seededRandom(t);
const below = (limit: number): number => Math.floor(random() * limit);
const one = <T>(of: readonly T[]): T => of[below(of.length)]!;
const perhaps = (chance: number): boolean => random() < chance;

// --- What is answered -----------------------------------------------------------------------------

/** What a handler sees of a request. */
interface Seen {
  method: string;
  path: string;
  headers: [string, string][];
  body: string;
}

/** What both servers answer. */
interface Plan {
  status: number;
  body: string | string[] | null;
  close: boolean;
}

const LARGE = 'large '.repeat(12_000);

/** By the path alone: bodies are read first, but for '/early'. */
function planFor(path: string, body: string): Plan {
  const close = path.includes('close');
  if (path.startsWith('/none')) return { status: 204, body: null, close };
  if (path.startsWith('/same')) return { status: 304, body: null, close };
  if (path.startsWith('/chunks')) return { status: 200, body: ['one', 'two', body, 'three'], close };
  if (path.startsWith('/large')) return { status: 200, body: LARGE, close };
  return { status: 200, body: `got ${body.length}`, close };
}

const isEarly = (path: string): boolean => path.startsWith('/early');

/** Path and query of a URL or a target. */
function pathOf(target: string): string {
  const url = target.startsWith('/') ? `http://a${target}` : target;
  if (!URL.canParse(url)) return target;
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** A server, and what is known of its side of the last connection. */
interface Side {
  readonly address: { address: string; family: 'IPv4'; port: number };
  /** Requests in the order that they came in; null until the body is there. */
  readonly seen: (Seen | null)[];
  /** Bytes that it has received. */
  received(): number;
  /** Whether it has answered what it can: handlers that are left wait for a body. */
  isIdle(): boolean;
  /** Whether no handler is left. */
  isOver(): boolean;
  /** Whether it cuts off an answer when something malformed comes behind the request. */
  readonly cutsOff: boolean;
  stop(): Promise<void>;
}

async function stock(): Promise<Side> {
  let socket: net.Socket | null = null;
  let active = 0;
  let waiting = 0;
  const seen: Side['seen'] = [];
  const server = http.createServer({ keepAliveTimeout: 0 }, async (request, response) => {
    active++;
    response.on('close', () => active--);
    const index = seen.push(null) - 1;
    const path = pathOf(request.url!);
    const headers = new Map<string, string>();
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const name = request.rawHeaders[i]!.toLowerCase();
      const before = headers.get(name);
      const value = request.rawHeaders[i + 1]!;
      headers.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
    }
    let body = '';
    if (!isEarly(path)) {
      waiting++;
      try {
        for await (const chunk of request) body += chunk.toString('latin1');
      } catch {
        return;
      } finally {
        waiting--;
      }
    }
    seen[index] = { method: request.method!, path, headers: [...headers].sort(), body };
    const plan = planFor(path, body);
    response.statusCode = plan.status;
    if (plan.close) response.setHeader('Connection', 'close');
    if (Array.isArray(plan.body)) {
      for await (const piece of pieces(plan.body)) if (piece !== '') response.write(piece);
      response.end();
      return;
    }
    if (plan.body !== null) response.setHeader('Content-Length', plan.body.length);
    response.end(plan.body ?? undefined);
  });
  server.on('connection', made => {
    socket = made;
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return {
    address: server.address() as Side['address'],
    seen,
    received: () => socket?.bytesRead ?? 0,
    isIdle: () => active === waiting,
    isOver: () => active === 0,
    cutsOff: true,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function own(): Promise<Side> {
  let connection: Connection | null = null;
  let started = 0;
  let waiting = 0;
  const seen: Side['seen'] = [];
  const listener = await listen({ port: 0, host: HOST });
  const accept = listener.accept.bind(listener);
  listener.accept = async options => {
    const made = await accept(options);
    connection = made;
    return made;
  };
  const handler = async (request: Request): Promise<Response> => {
    started++;
    const path = pathOf(request.url);
    const index = seen.push(null) - 1;
    let body = '';
    if (!isEarly(path)) {
      waiting++;
      try {
        body = Buffer.from(await request.arrayBuffer()).toString('latin1');
      } finally {
        waiting--;
      }
    }
    seen[index] = { method: request.method, path, headers: [...request.headers].sort(), body };
    const plan = planFor(path, body);
    const content = Array.isArray(plan.body) ? pieces(plan.body) : plan.body;
    return new Response(content, { status: plan.status, headers: plan.close ? { Connection: 'close' } : {} });
  };
  const options = { onError: () => undefined, keepAliveTimeout: 0 };
  const server = serveOn(listener, handler as never, options, checkHttp(handler, options));
  return {
    address: server.address as Side['address'],
    seen,
    received: () => connection?.bytesRead ?? 0,
    isIdle: () => started - server.stats().answered === waiting,
    cutsOff: false,
    isOver: () => {
      if (server.stats().connections !== 0) return false;
      started = server.stats().answered;
      return true;
    },
    stop: async () => void (await server.stop({ timeout: 0 })),
  };
}

/** So slow that an answer begins before its length is known. */
async function* pieces(of: string[]): AsyncGenerator<string> {
  for (const piece of of) {
    await turns(2);
    yield piece;
  }
}

// --- What is asked --------------------------------------------------------------------------------

const PATHS = [
  '/',
  '/echo',
  '/chunks',
  '/early',
  '/none',
  '/same',
  '/large',
  '/a/../b',
  '/x%20y?q=1&r=a+b',
  '/?',
];
/** Node ends a connection of HTTP/1.0 after other answers. */
const PATHS_WITH_LENGTH = ['/', '/echo', '/early', '/large'];
const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND'];

/** A request as lines of its head, and its body. */
interface Draft {
  lines: string[];
  body: string;
}

function text({ lines, body }: Draft): string {
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

function chunked(bytes: string): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + below(bytes.length - at);
    const hex = perhaps(0.5) ? size.toString(16) : `0${size.toString(16).toUpperCase()}`;
    text += `${hex}${perhaps(0.2) ? one([';a', ';a=b', ';a="b c"']) : ''}\r\n${bytes.slice(at, at + size)}\r\n`;
    at += size;
  }
  return `${text}${perhaps(0.2) ? '000' : '0'}\r\n${perhaps(0.2) ? 'X-Trailer: t\r\n' : ''}\r\n`;
}

function validRequest(): Draft {
  const version = perhaps(0.15) ? '1.0' : '1.1';
  const method = one(METHODS);
  const lines = [`${method} ${one(version === '1.0' ? PATHS_WITH_LENGTH : PATHS)} HTTP/${version}`];
  lines.push(`${one(['Host', 'host', 'HOST'])}:${one(['', ' ', '  '])}${one(['a', 'a.b:80', '[::1]:8080'])}`);
  if (version === '1.0') lines.push('Connection: keep-alive');
  if (perhaps(0.3))
    lines.push(`X-Some: ${one(['a', '', 'a b\tc', '\xe9', '"a, b"'])}${one(['', ' ', '\t'])}`);
  if (perhaps(0.2)) lines.push('x-some: again', 'Cookie: a=1', 'Cookie: b=2');
  let body = '';
  if (method !== 'HEAD' && perhaps(method === 'GET' ? 0.2 : 0.7)) {
    body = Array.from({ length: below(below(2) === 0 ? 20 : 3000) }, () =>
      String.fromCharCode(below(256)),
    ).join('');
    // Unread, it would have the connection closed here.
    if (perhaps(0.15) && !lines[0]!.includes('/early')) lines.push('Expect: 100-continue');
    if (version === '1.1' && perhaps(0.5)) {
      lines.push(`Transfer-Encoding: ${one(['chunked', 'Chunked'])}`);
      body = chunked(body);
    } else lines.push(`Content-Length: ${body.length}`);
  }
  return { lines, body };
}

const ODD_LINES = [
  'Content-Length: 3',
  'Content-Length: 0',
  'Content-Length: +3',
  'Content-Length: 3, 3',
  'Content-Length: 3 3',
  'Content-Length: 99999999999999999999',
  'Content-Length:',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, gzip',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:',
  'Host: b',
  'Host: a b',
  'Host:',
  'Expect: tea',
  'Connection: close',
  'Connection: keep-alive, close',
  'Connection: upgrade, close',
  'Upgrade: x\r\nConnection: upgrade',
  'Upgrade: h2c',
  'Keep-Alive: x',
  ' folded',
  '\tfolded',
  'No colon',
  'Blank : x',
  ': x',
  'X(y): x',
  'X: a\rb',
  'X: a\nb',
  'X: a\0b',
  'X: \x7f',
  `X: ${'x'.repeat(20_000)}`,
  ...['__proto__: x', 'constructor: x'],
];
const ODD_STARTS = [
  'BREW / HTTP/1.1',
  'get / HTTP/1.1',
  'TRACE / HTTP/1.1',
  'GET / HTTP/1.2',
  'GET / HTTP/2.0',
  'GET / HTTP/0.9',
  'GET / HTTP/1.10',
  'GET / http/1.1',
  'GET /',
  'GET  / HTTP/1.1',
  'GET /  HTTP/1.1',
  'GET /\tHTTP/1.1',
  'GET / HTTP/1.1 ',
  ' GET / HTTP/1.1',
  'GET http://a/echo HTTP/1.1',
  'GET http://b/echo HTTP/1.1',
  'GET x HTTP/1.1',
  'GET /#x HTTP/1.1',
  'GET //a//b HTTP/1.1',
  'GET /\xe9 HTTP/1.1',
  'GET /%zz HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET * HTTP/1.1',
];
const BYTES = [
  '\0',
  '\r',
  '\n',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '/',
  '#',
  '%',
  '\x7f',
  '\x80',
  '\xff',
  'a',
  '0',
  '"',
  '\r\n',
];

/** A request that may be one no more. */
function oddRequest(): string {
  const draft = validRequest();
  const { lines } = draft;
  for (let times = 1 + below(2); times > 0; times--) {
    const at = 1 + below(lines.length - 1);
    switch (below(7)) {
      case 0:
        lines.splice(at, 0, one(ODD_LINES));
        break;
      case 1:
        lines.splice(at, 0, one(ODD_LINES), one(ODD_LINES));
        break;
      case 2:
        lines[0] = one(ODD_STARTS);
        break;
      case 3:
        lines.splice(at, 1);
        break;
      case 4:
        lines.splice(at, 0, lines[at]!);
        break;
      case 5:
        draft.body = mutated(draft.body);
        break;
      default:
        return mutated(text(draft));
    }
  }
  return text(draft);
}

/** With a byte more, less, or another. */
function mutated(text: string): string {
  const at = below(Math.min(text.length + 1, 400));
  return text.slice(0, at) + (perhaps(0.7) ? one(BYTES) : '') + text.slice(at + below(2));
}

/** Cut at random. */
function cut(text: string): string[] {
  if (perhaps(0.3)) return [text];
  const cuts = [
    ...Array.from({ length: 1 + below(6) }, () => below(Math.min(text.length, 600))),
    text.length,
  ];
  cuts.sort((a, b) => a - b);
  return cuts.map((end, i) => text.slice(i === 0 ? 0 : cuts[i - 1], end)).filter(piece => piece !== '');
}

/** Requests, in groups whose answers are waited for; the last one may be odd, and cut off. */
interface Conversation {
  groups: string[][];
  /** Pieces of what comes at the end. */
  last: string[];
}

function conversation(): Conversation {
  const groups = Array.from({ length: below(3) }, () =>
    cut(Array.from({ length: 1 + below(3) }, () => text(validRequest())).join('')),
  );
  const odd = perhaps(0.8) ? oddRequest() : text(validRequest());
  return { groups, last: cut(perhaps(0.1) ? odd.slice(0, below(odd.length)) : odd) };
}

const PROBE = 'GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

// --- What comes of it -----------------------------------------------------------------------------

interface Outcome {
  answers: RawAnswer[];
  seen: Seen[];
}

/** The answers of a server that cuts off the one that it sends when something malformed comes. */
function wholeAnswersIn(text: string, methods: readonly string[]): RawAnswer[] {
  try {
    return answersIn(text, methods);
  } catch (error) {
    if (error instanceof CutOff) return error.answers;
    throw error;
  }
}

async function converse(side: Side, { groups, last }: Conversation): Promise<Outcome> {
  side.seen.length = 0;
  const peer = await Peer.connect(side);
  let sent = 0;
  /** Sends, and waits until the server has nothing to do. */
  const say = async (pieces: string[]): Promise<boolean> => {
    for (const piece of pieces) sent += piece.length;
    await peer.sendPieces(pieces);
    await until(async () => {
      await turns(4);
      return peer.ended || peer.error !== null || (side.received() === sent && side.isIdle());
    });
    await turns(4);
    return !peer.ended && peer.error === null;
  };
  try {
    let open = true;
    for (const group of groups) open = open && (await say(group));
    open = open && (await say(last));
    if (open) open = await say([PROBE]);
    peer.socket.end();
    await peer.whole();
    await until(side.isOver);
    const missing = side.seen.indexOf(null);
    const seen = side.seen.slice(0, missing < 0 ? side.seen.length : missing) as Seen[];
    const methods = seen.map(({ method }) => method);
    // Of a HEAD that is refused the answer has no body, if that much of it was understood.
    if (/^(?:\r\n)*HEAD /.test(last.join(''))) methods.push('HEAD?');
    const answers = side.cutsOff ? wholeAnswersIn(peer.received, methods) : answersIn(peer.received, methods);
    return { answers: answers.filter(({ status }) => status >= 200), seen };
  } finally {
    peer.close();
  }
}

/** What is compared of an answer. */
function framing({ status, headers, body }: RawAnswer) {
  return {
    status,
    length: headers.get('content-length'),
    coding: headers.get('transfer-encoding'),
    close: headers.get('connection') === 'close',
    body,
  };
}

/** Statuses of refusals: this server's, and Node's for the same request. */
const STATUSES = new Set([
  '400 400',
  '414 431',
  '431 431',
  '417 417',
  '501 400',
  '505 400',
  '413 413',
  '400 417',
  '501 417',
  '417 400',
  '431 400',
  '414 400',
  '400 431',
]);

/** A reason for a difference, and whether what is at the end of a conversation is of that kind. */
type Reason = [reason: string, is: (request: string) => boolean];

/** The lines of a head. */
function linesOf(request: string): string[] {
  return request.split('\r\n\r\n')[0]!.split('\r\n');
}

/** The values of all headers with this name, as far as it can be told. */
function valuesOf(request: string, name: string): string[] {
  const found = linesOf(request).filter(line => line.toLowerCase().startsWith(`${name}:`));
  return found.map(line => line.slice(name.length + 1).trim());
}

/** Whether the connection is to be closed, and to be kept. */
function asksForBoth(request: string): boolean {
  const asked = valuesOf(request, 'connection').join().toLowerCase();
  return asked.includes('close') && asked.includes('keep-alive');
}

const UPGRADE: Reason = [
  'what follows the head of a request for an upgrade Node takes for the other protocol',
  request => /upgrade/i.test(request),
];

/** Why this server refuses what Node serves. */
const STRICTER: Reason[] = [
  UPGRADE,
  ['Node serves what comes behind an expectation that fails', request => /expect:/i.test(request)],
  [
    'a malformed chunk that comes with the head, of a body that is not read',
    request => /^(?:\r\n)*\S+ \/early .*\r\n[\s\S]*transfer-encoding:/i.test(request),
  ],
  ['other versions', request => !/^(?:\r\n)*\S+ +\S+ +HTTP\/1\.[01]\r/.test(request)],
  ['blanks in the request line', request => !/^(?:\r\n)*\S+ \S+ \S+\r/.test(request)],
  ['TRACE, CONNECT', request => /^(?:\r\n)*(?:TRACE|CONNECT)/.test(request)],
  ['a target that is no path', request => !/^(?:\r\n)*\S+ \/[^#]* /.test(request)],
  [
    'no host, several, or one that is none',
    request => {
      const hosts = valuesOf(request, 'host');
      const [host = ''] = hosts;
      const isHost = /^(?:[\w.~-]+|\[[\da-f:.]+\])(?::\d*)?$/i.test(host) && URL.canParse(`http://${host}`);
      return hosts.length !== 1 || !isHost;
    },
  ],
  [
    'transfer codings',
    request => {
      const codings = valuesOf(request, 'transfer-encoding');
      return codings.length !== 0 && (codings.length > 1 || codings[0]!.toLowerCase() !== 'chunked');
    },
  ],
  ['chunks of HTTP/1.0', request => / HTTP\/1\.0\r[\s\S]*\ntransfer-encoding:/i.test(request)],
];

/** Why this server serves what Node refuses. */
const LOOSER: Reason[] = [
  UPGRADE,
  [
    'whether a quoted chunk extension may hold a DEL, versions of the parser decide differently',
    request => /\r\n[\da-f]+;[^\r\n]*"[^\r\n]*\x7f/i.test(request),
  ],
];

function isExplained(reasons: Reason[], request: string): boolean {
  return reasons.some(([, is]) => is(request));
}

/** How the same conversation differs; undefined if it does not, or for a reason that is listed. */
function difference(said: Conversation, theirs: Outcome, ours: Outcome): string | undefined {
  const last = said.last.join('') + PROBE;
  for (let i = 0; ; i++) {
    const [their, our] = [theirs.answers[i], ours.answers[i]];
    if (their === undefined && our === undefined) return undefined;
    const [served, serves] = [theirs.seen[i], ours.seen[i]];
    if (served !== undefined && serves !== undefined) {
      if (JSON.stringify(served) !== JSON.stringify(serves)) return `request ${i} is seen otherwise`;
      if (our === undefined) return `answer ${i} is missing`;
      // Node does not answer what is served when something malformed comes behind it.
      if (their === undefined || their.status === 400) return undefined;
      // Answers of HTTP/1.0 without a length: the connection goes on here.
      if (/ HTTP\/1\.0\r/.test(last) && framing(their).length === undefined) return undefined;
      // Of both a close counts here, as RFC 9112, 9.3 has it; Node stays, in HTTP/1.0.
      if (/ HTTP\/1\.0\r/.test(last) && asksForBoth(last)) return undefined;
      // Whether a tab behind a value is a part of it, versions of the parser decide differently.
      if (/\nconnection:[^\r]*\t\r/i.test(last)) return undefined;
      if (JSON.stringify(framing(their)) !== JSON.stringify(framing(our))) return `answer ${i} differs`;
    } else if (serves !== undefined) {
      return isExplained(LOOSER, last) ? undefined : `request ${i} is served`;
    } else if (served !== undefined) {
      return isExplained(STRICTER, last) ? undefined : `request ${i} is refused`;
    } else if (our === undefined) {
      // What was answered early is not answered again.
      return ours.seen.at(-1)?.path === '/early' ? undefined : `refusal ${i} is missing`;
      // Node closes without a word behind some answers.
    } else if (their === undefined) return undefined;
    // It is answered without its body.
    else if (our.status === 204 && /^(?:\r\n)*OPTIONS \* /.test(last)) return undefined;
    else
      return STATUSES.has(`${our.status} ${their.status}`) ? undefined : `${our.status} for ${their.status}`;
  }
}

t.test('conversations', async t => {
  const [theirs, ours] = await Promise.all([stock(), own()]);
  t.teardown(() => Promise.all([theirs.stop(), ours.stop()]));
  const end = performance.now() + SECONDS * 1000;
  let count = 0;
  while (count < CONVERSATIONS || performance.now() < end) {
    const said = conversation();
    const [their, our] = await Promise.all([converse(theirs, said), converse(ours, said)]);
    count++;
    const differs = difference(said, their, our);
    if (differs === undefined) continue;
    t.fail(differs, {
      said: JSON.stringify(said),
      theirs: JSON.stringify([their.answers.map(framing), their.seen]),
      ours: JSON.stringify([our.answers.map(framing), our.seen]),
    });
    break;
  }
  t.ok(count >= CONVERSATIONS, `${count} conversations`);
});
