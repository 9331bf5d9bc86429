/** The answers of the servers in the JSON scenarios: to a GET its query, to a POST a number from its body. */

/** Headers as a browser sends them through a proxy. */
const HEADERS = Array.from(
  { length: 16 },
  (_, i) => `X-Forwarded-Header-${i}: a value of some length ${i}\r\n`,
).join('');

export const GET_REQUEST = `GET /items?name=ring&page=2 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\nX-Request-Id: 00000000\r\n${HEADERS}\r\n`;
export const GET_ANSWER = JSON.stringify({ name: 'ring', page: 2, items: [1, 2, 3] });

const POSTED = JSON.stringify({ number: 42, text: 'x'.repeat(1000) });
export const POST_REQUEST = `POST /items HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nContent-Type: application/json\r\nX-Request-Id: 00000000\r\nContent-Length: ${POSTED.length}\r\n\r\n${POSTED}`;
export const POST_ANSWER = JSON.stringify({ number: 42 });

export function answerGet(url: URL): string {
  const { searchParams } = url;
  return JSON.stringify({
    name: searchParams.get('name'),
    page: Number(searchParams.get('page')),
    items: [1, 2, 3],
  });
}

export function answerPost(posted: unknown): string {
  return JSON.stringify({ number: (posted as { number: number }).number });
}

/** For servers with web-standard APIs. */
export async function answer(
  request: Request,
  Class: new (body: string, init: { headers: Record<string, string> }) => Response,
): Promise<Response> {
  const text = request.method === 'POST' ? answerPost(await request.json()) : answerGet(new URL(request.url));
  return new Class(text, { headers: { 'Content-Type': 'application/json' } });
}
