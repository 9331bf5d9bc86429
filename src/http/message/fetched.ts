/** The headers of responses that `fetch` has returned: it decodes their bodies, and their headers do not say so. */
import { type HeadersSource, HttpHeaders } from './headers.js';

/** What `fetch` decodes; undici 7 and later know zstd. */
const DECODED = new Set(['gzip', 'x-gzip', 'deflate', 'br']);
if (Number.parseInt(process.versions.undici ?? '', 10) >= 7) DECODED.add('zstd');

function isDecoded(codings: string | null): boolean {
  return codings?.split(',').every(coding => DECODED.has(coding.trim().toLowerCase())) === true;
}

/** The headers of a response as they are true for its body: names and values alternate. */
export function headersOf(response: Response): readonly string[] {
  const headers = new HttpHeaders(response.headers as unknown as HeadersSource);
  // Only a response that was fetched has a URL.
  if (response.url && response.body !== null && isDecoded(headers.get('content-encoding'))) {
    headers.delete('content-encoding');
    headers.delete('content-length');
  }
  return headers.list;
}
