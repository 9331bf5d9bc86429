/** The headers of responses that `fetch` has returned: it decodes their bodies, and their headers do not say so. */
import { type HeadersSource, HttpHeaders } from './headers.js';

/** Whether the `fetch` of a version of undici decodes zstd: from 7.11 on, which Node has since 24.4. */
export function decodesZstd(undici = ''): boolean {
  const [major = 0, minor = 0] = undici.split('.').map(Number);
  return major > 7 || (major === 7 && minor >= 11);
}

/** What `fetch` decodes. */
const DECODED = new Set(['gzip', 'x-gzip', 'deflate', 'br']);
if (decodesZstd(process.versions.undici)) DECODED.add('zstd');

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
